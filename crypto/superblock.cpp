#include "crypto/superblock.h"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "crypto/octets.h"
#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

constexpr std::string_view magic{"ClinicEdgeStore\0", 16};
constexpr std::uint32_t machine_slot = 1; // kind of a wrapped key: by a raw 32-byte key slot

constexpr std::size_t version_at = 16;
constexpr std::size_t cipher_at = 20;
constexpr std::size_t page_size_at = 24;
constexpr std::size_t reserve_at = 28;
constexpr std::size_t uuid_at = 32;
constexpr std::size_t sequence_at = 48;
constexpr std::size_t epoch_at = 56;
constexpr std::size_t keys_at = 60; // how many wrapped keys follow
constexpr std::size_t key_table_at = 64;
constexpr std::size_t wrapped_bytes = key_bytes + seal_overhead_bytes;
constexpr std::size_t key_entry_bytes = 4 + 4 + wrapped_bytes; // kind, epoch, wrapped
constexpr std::size_t keys_max = 16;
constexpr std::size_t checksum_at = superblock_bytes - 64;
constexpr std::size_t mac_at = superblock_bytes - 32;
static_assert(key_table_at + keys_max * key_entry_bytes <= checksum_at);
static_assert(wrapped_bytes == 72);

using Image = std::span<const std::byte>;

Digest mac(const SecureBytes& store_key, Image image) {
    const SecureBytes key = piece_key(store_key, Piece::superblock_mac);
    Digest made{};
    crypto_generichash(octets(made), made.size(), octets(image), mac_at, octets(key.bytes()), key.size());
    return made;
}

enum class Look { damaged, newer_version, newer_cipher, whole };

// What can be said without a key: the place of magic, version and checksum is the same in every version.
Look look_at(Image image) {
    const Digest sum = digest(image.first(checksum_at));
    if (!std::ranges::equal(image.first(magic.size()), std::as_bytes(std::span{magic}))) return Look::damaged;
    if (!std::ranges::equal(sum, image.subspan(checksum_at, sum.size()))) return Look::damaged;
    if (get_number<std::uint32_t>(image.subspan(version_at)) > format_version) return Look::newer_version;
    if (!is_known(CipherId{get_number<std::uint32_t>(image.subspan(cipher_at))})) return Look::newer_cipher;
    const bool shaped = get_number<std::uint32_t>(image.subspan(version_at)) == format_version &&
                        get_number<std::uint32_t>(image.subspan(page_size_at)) == page_bytes &&
                        get_number<std::uint32_t>(image.subspan(reserve_at)) == trailer_bytes &&
                        get_number<std::uint32_t>(image.subspan(keys_at)) <= keys_max;
    return shaped ? Look::whole : Look::damaged;
}

Superblock fields_of(Image image) {
    Superblock read;
    read.cipher = CipherId{get_number<std::uint32_t>(image.subspan(cipher_at))};
    std::ranges::copy(image.subspan(uuid_at, read.store.size()), read.store.begin());
    read.sequence = get_number<std::uint64_t>(image.subspan(sequence_at));
    read.epoch = get_number<std::uint32_t>(image.subspan(epoch_at));
    return read;
}

std::optional<SecureBytes> unwrap(Image image, const Superblock& superblock, const SecureBytes& slot_key) {
    const auto associated = associated_data(superblock.store, {Piece::store_key, superblock.epoch});
    const auto count = get_number<std::uint32_t>(image.subspan(keys_at));
    for (std::size_t i = 0; i < count; ++i) {
        const auto entry = image.subspan(key_table_at + i * key_entry_bytes, key_entry_bytes);
        if (get_number<std::uint32_t>(entry) != machine_slot) continue;
        if (get_number<std::uint32_t>(entry.subspan(4)) != superblock.epoch) continue;
        if (auto key = open_key(slot_key, entry.subspan(8), associated)) return std::move(key).value();
    }
    return std::nullopt;
}

} // namespace

SuperblockImage make_superblock(const Superblock& superblock, const SecureBytes& store_key,
                                const SecureBytes& slot_key) {
    SuperblockImage made{};
    const std::span<std::byte> image{made};
    std::ranges::copy(std::as_bytes(std::span{magic}), image.begin());
    put_number(image.subspan(version_at), format_version);
    put_number(image.subspan(cipher_at), static_cast<std::uint32_t>(superblock.cipher));
    put_number(image.subspan(page_size_at), static_cast<std::uint32_t>(page_bytes));
    put_number(image.subspan(reserve_at), static_cast<std::uint32_t>(trailer_bytes));
    std::ranges::copy(superblock.store, image.subspan(uuid_at).begin());
    put_number(image.subspan(sequence_at), superblock.sequence);
    put_number(image.subspan(epoch_at), superblock.epoch);
    put_number(image.subspan(keys_at), std::uint32_t{1});

    const auto entry = image.subspan(key_table_at, key_entry_bytes);
    put_number(entry, machine_slot);
    put_number(entry.subspan(4), superblock.epoch);
    const auto associated = associated_data(superblock.store, {Piece::store_key, superblock.epoch});
    std::ranges::copy(seal(slot_key, store_key.bytes(), associated), entry.subspan(8).begin());

    std::ranges::copy(digest(image.first(checksum_at)), image.subspan(checksum_at).begin());
    std::ranges::copy(mac(store_key, image), image.subspan(mac_at).begin());
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
        if (sodium_memcmp(expected.data(), image(i).subspan(mac_at).data(), expected.size()) != 0)
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
