#include "crypto/superblock.h"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "crypto/octets.h"
#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

namespace at = superblock_at;
static_assert(wrapped_key_bytes == key_bytes + seal_overhead_bytes);

using Image = std::span<const std::byte>;

Digest mac(const SecureBytes& store_key, Image image) {
    const SecureBytes key = piece_key(store_key, Piece::superblock_mac);
    Digest made{};
    crypto_generichash(octets(made), made.size(), octets(image), at::mac, octets(key.bytes()), key.size());
    return made;
}

enum class Look { damaged, newer_version, newer_cipher, whole };

// What can be said without a key: the place of magic, version and checksum is the same in every version.
Look look_at(Image image) {
    const Digest sum = digest(image.first(at::checksum));
    if (!std::ranges::equal(image.first(superblock_magic.size()), std::as_bytes(std::span{superblock_magic})))
        return Look::damaged;
    if (!std::ranges::equal(sum, image.subspan(at::checksum, sum.size()))) return Look::damaged;
    if (get_number<std::uint32_t>(image.subspan(at::version)) > format_version) return Look::newer_version;
    if (!is_known(CipherId{get_number<std::uint32_t>(image.subspan(at::cipher))})) return Look::newer_cipher;
    const bool shaped = get_number<std::uint32_t>(image.subspan(at::version)) == format_version &&
                        get_number<std::uint32_t>(image.subspan(at::page_size)) == page_bytes &&
                        get_number<std::uint32_t>(image.subspan(at::reserve)) == trailer_bytes &&
                        get_number<std::uint32_t>(image.subspan(at::keys)) <= superblock_keys_max;
    return shaped ? Look::whole : Look::damaged;
}

Superblock fields_of(Image image) {
    Superblock read;
    read.cipher = CipherId{get_number<std::uint32_t>(image.subspan(at::cipher))};
    std::ranges::copy(image.subspan(at::uuid, read.store.size()), read.store.begin());
    read.sequence = get_number<std::uint64_t>(image.subspan(at::sequence));
    read.epoch = get_number<std::uint32_t>(image.subspan(at::epoch));
    return read;
}

std::optional<SecureBytes> unwrap(Image image, const Superblock& superblock, const SecureBytes& slot_key) {
    const auto associated = associated_data(superblock.store, {Piece::store_key, superblock.epoch});
    const auto count = get_number<std::uint32_t>(image.subspan(at::keys));
    for (std::size_t i = 0; i < count; ++i) {
        const auto entry = image.subspan(at::key_table + i * key_entry_bytes, key_entry_bytes);
        if (get_number<std::uint32_t>(entry) != machine_slot) continue;
        if (get_number<std::uint32_t>(entry.subspan(key_entry_epoch_at)) != superblock.epoch) continue;
        if (auto key = open_key(slot_key, entry.subspan(key_entry_wrapped_at), associated))
            return std::move(key).value();
    }
    return std::nullopt;
}

} // namespace

SuperblockImage make_superblock(const Superblock& superblock, const SecureBytes& store_key,
                                const SecureBytes& slot_key) {
    SuperblockImage made{};
    const std::span<std::byte> image{made};
    std::ranges::copy(std::as_bytes(std::span{superblock_magic}), image.begin());
    put_number(image.subspan(at::version), format_version);
    put_number(image.subspan(at::cipher), static_cast<std::uint32_t>(superblock.cipher));
    put_number(image.subspan(at::page_size), static_cast<std::uint32_t>(page_bytes));
    put_number(image.subspan(at::reserve), static_cast<std::uint32_t>(trailer_bytes));
    std::ranges::copy(superblock.store, image.subspan(at::uuid).begin());
    put_number(image.subspan(at::sequence), superblock.sequence);
    put_number(image.subspan(at::epoch), superblock.epoch);
    put_number(image.subspan(at::keys), std::uint32_t{1});

    const auto entry = image.subspan(at::key_table, key_entry_bytes);
    put_number(entry, machine_slot);
    put_number(entry.subspan(key_entry_epoch_at), superblock.epoch);
    const auto associated = associated_data(superblock.store, {Piece::store_key, superblock.epoch});
    std::ranges::copy(seal(slot_key, store_key.bytes(), associated), entry.subspan(key_entry_wrapped_at).begin());

    std::ranges::copy(digest(image.first(at::checksum)), image.subspan(at::checksum).begin());
    std::ranges::copy(mac(store_key, image), image.subspan(at::mac).begin());
    return made;
}

Result<OpenedSuperblock> open_superblocks(std::span<const std::byte> head, const SecureBytes& slot_key) {
    std::vector<std::size_t> whole;
    for (std::size_t i = 0; i < superblocks; ++i) {
        switch (look_at(head.subspan(i * superblock_bytes, superblock_bytes))) {
        case Look::damaged: break;
        case Look::newer_version:
            return Error{Errc::newer, "the store has a newer format than this program knows", "update the program"};
        case Look::newer_cipher:
            return Error{Errc::newer, "the store has a cipher that this program does not know", "update the program"};
        case Look::whole: whole.push_back(i); break;
        }
    }
    const auto image = [&](std::size_t i) { return head.subspan(i * superblock_bytes, superblock_bytes); };
    bool forged = whole.empty();
    std::ranges::sort(whole, std::ranges::greater{}, [&](std::size_t i) { return fields_of(image(i)).sequence; });

    // One that this key does not open is not damaged: it may have been wrapped for another.
    bool damaged = whole.size() < superblocks;
    std::optional<OpenedSuperblock> opened;
    for (const std::size_t i : whole) {
        const Superblock fields = fields_of(image(i));
        auto store_key = unwrap(image(i), fields, slot_key);
        if (!store_key) continue;
        const Digest expected = mac(*store_key, image(i));
        if (sodium_memcmp(expected.data(), image(i).subspan(at::mac).data(), expected.size()) != 0)
            damaged = forged = true;
        else if (!opened)
            opened = OpenedSuperblock{fields, std::move(*store_key), i};
    }
    if (opened) {
        opened->other_damaged = damaged;
        return std::move(*opened);
    }
    if (forged) return Error{Errc::tampered, "both superblocks of the store are damaged", "restore it from a backup"};
    return Error{Errc::locked, "the key does not open the store", "give the key it was made with"};
}

} // namespace clinic::crypto
