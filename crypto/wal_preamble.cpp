#include "crypto/wal_preamble.h"

#include <algorithm>
#include <string_view>

#include "crypto/octets.h"

namespace clinic::crypto {
namespace {

constexpr std::string_view magic{"ClinicEdgeWal\0\0\0", 16};
constexpr std::size_t version_at = 16;
constexpr std::size_t epoch_at = 20;
constexpr std::size_t uuid_at = 32;
constexpr std::size_t head_at = 48;
static_assert(head_at + sealed_wal_head_bytes <= 512);

constexpr PieceAt wal_header{Piece::wal_header, 0};

// What stands in clear, as it must be.
Preamble clear_part(const PageCipher& cipher) {
    Preamble made{};
    const std::span<std::byte> bytes{made};
    std::ranges::copy(std::as_bytes(std::span{magic}), bytes.begin());
    put_number(bytes.subspan(version_at), format_version);
    put_number(bytes.subspan(epoch_at), cipher.epoch());
    std::ranges::copy(cipher.store(), bytes.subspan(uuid_at).begin());
    return made;
}

} // namespace

Preamble make_preamble(const PageCipher& cipher, const WalHead& head) {
    Preamble made = clear_part(cipher);
    cipher.seal(wal_header, head, std::span{made}.subspan(head_at, sealed_wal_head_bytes));
    return made;
}

PreambleLook open_preamble(const PageCipher& cipher, std::span<const std::byte> preamble, WalHead& head) {
    head.fill(std::byte{0});
    if (std::ranges::all_of(preamble, [](std::byte b) { return b == std::byte{0}; })) return PreambleLook::blank;
    if (!std::ranges::equal(preamble.first(magic.size()), std::as_bytes(std::span{magic})))
        return PreambleLook::damaged;
    if (get_number<std::uint32_t>(preamble.subspan(version_at)) > format_version) return PreambleLook::newer;
    if (!std::ranges::equal(preamble.subspan(uuid_at, cipher.store().size()), cipher.store()))
        return PreambleLook::foreign;

    Preamble expected = clear_part(cipher);
    const auto sealed = preamble.subspan(head_at, sealed_wal_head_bytes);
    std::ranges::copy(sealed, std::span{expected}.subspan(head_at).begin());
    if (!std::ranges::equal(preamble, expected)) return PreambleLook::damaged;
    return cipher.open(wal_header, sealed, head) ? PreambleLook::whole : PreambleLook::damaged;
}

} // namespace clinic::crypto
