#include "crypto/wal_preamble.h"

#include <algorithm>
#include <string_view>

#include "crypto/octets.h"

namespace clinic::crypto {
namespace {

namespace at = preamble_at;

constexpr PieceAt wal_header{Piece::wal_header, 0};

// What stands in clear, as it must be.
Preamble clear_part(const PageCipher& cipher) {
    Preamble made{};
    const std::span<std::byte> bytes{made};
    std::ranges::copy(std::as_bytes(std::span{preamble_magic}), bytes.begin());
    put_number(bytes.subspan(at::version), format_version);
    put_number(bytes.subspan(at::epoch), cipher.epoch());
    std::ranges::copy(cipher.store(), bytes.subspan(at::uuid).begin());
    return made;
}

} // namespace

Preamble make_preamble(const PageCipher& cipher, const WalHead& head) {
    Preamble made = clear_part(cipher);
    cipher.seal(wal_header, head, std::span{made}.subspan(at::head, sealed_wal_head_bytes));
    return made;
}

PreambleLook open_preamble(const PageCipher& cipher, std::span<const std::byte> preamble, WalHead& head) {
    head.fill(std::byte{0});
    if (std::ranges::all_of(preamble, [](std::byte b) { return b == std::byte{0}; })) return PreambleLook::blank;
    if (!std::ranges::equal(preamble.first(preamble_magic.size()), std::as_bytes(std::span{preamble_magic})))
        return PreambleLook::damaged;
    if (get_number<std::uint32_t>(preamble.subspan(at::version)) > format_version) return PreambleLook::newer;
    if (!std::ranges::equal(preamble.subspan(at::uuid, cipher.store().size()), cipher.store()))
        return PreambleLook::foreign;

    Preamble expected = clear_part(cipher);
    const auto sealed = preamble.subspan(at::head, sealed_wal_head_bytes);
    std::ranges::copy(sealed, std::span{expected}.subspan(at::head).begin());
    if (!std::ranges::equal(preamble, expected)) return PreambleLook::damaged;
    return cipher.open(wal_header, sealed, head) ? PreambleLook::whole : PreambleLook::damaged;
}

} // namespace clinic::crypto
