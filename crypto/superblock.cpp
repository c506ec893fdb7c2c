#include "crypto/superblock.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>

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

bool has_mac(const SecureBytes& store_key, Image image) {
    const Digest expected = mac(store_key, image);
    return sodium_memcmp(expected.data(), image.subspan(at::mac).data(), expected.size()) == 0;
}

std::uint32_t number_at(Image image, std::size_t where) {
    return get_number<std::uint32_t>(image.subspan(where));
}

std::size_t entry_bytes(std::uint32_t version) {
    return version == superblock_version_plain ? key_entry_bytes : slot_entry_bytes;
}

// Of version 1 other kinds than the machine's were never written, and are passed over.
std::optional<std::vector<SlotEntry>> slots_of(Image image, std::uint32_t version) {
    const std::uint32_t count = number_at(image, at::keys);
    if (count > superblock_keys_max) return std::nullopt;
    std::vector<SlotEntry> slots;
    for (std::size_t i = 0; i < count; ++i) {
        auto entry =
            read_slot_entry(image.subspan(at::key_table + i * entry_bytes(version), entry_bytes(version)), version);
        if (!entry && version != superblock_version_plain) return std::nullopt;
        if (entry) slots.push_back(std::move(*entry));
    }
    // One passphrase: each takes a second to try.
    if (std::ranges::count(slots, SlotKind::passphrase, &SlotEntry::kind) > 1) return std::nullopt;
    return slots;
}

enum class Look { damaged, newer, whole };

// What can be said without a key: the place of magic, version and checksum is the same in every version.
Look look_at(Image image) {
    const Digest sum = digest(image.first(at::checksum));
    if (!std::ranges::equal(image.first(superblock_magic.size()), std::as_bytes(std::span{superblock_magic})))
        return Look::damaged;
    if (!std::ranges::equal(sum, image.subspan(at::checksum, sum.size()))) return Look::damaged;
    const std::uint32_t version = number_at(image, at::version);
    if (newer_than_known(version, number_at(image, at::cipher))) return Look::newer;
    const bool shaped = version >= superblock_version_plain && number_at(image, at::page_size) == page_bytes &&
                        number_at(image, at::reserve) == trailer_bytes && slots_of(image, version);
    return shaped ? Look::whole : Look::damaged;
}

Superblock fields_of(Image image) {
    Superblock read;
    read.version = number_at(image, at::version);
    read.cipher = CipherId{number_at(image, at::cipher)};
    std::ranges::copy(image.subspan(at::uuid, read.store.size()), read.store.begin());
    read.sequence = get_number<std::uint64_t>(image.subspan(at::sequence));
    read.epoch = number_at(image, at::epoch);
    if (auto slots = slots_of(image, read.version)) read.slots = std::move(*slots);
    return read;
}

// The superblocks of one head, each tried with one slot. A passphrase is stretched once for both.
class Opener {
public:
    explicit Opener(const KeySlot& slot) : slot_{slot} {}

    struct Unwrapped {
        SecureBytes store_key;
        std::uint32_t number;
    };
    Result<std::optional<Unwrapped>> unwrap(const Superblock& superblock) {
        for (const SlotEntry& entry : superblock.slots) {
            if (entry.kind != slot_.kind() || entry.epoch > superblock.epoch) continue;
            const auto key = wrapping_key(entry.cost);
            CLINIC_TRY(key);
            const auto associated = associated_data(superblock.store, {Piece::store_key, entry.epoch});
            if (auto opened = open_key(**key, entry.wrapped, associated))
                return std::optional{Unwrapped{std::move(*opened), entry.number}};
        }
        return std::optional<Unwrapped>{};
    }

private:
    Result<const SecureBytes*> wrapping_key(const StretchCost& cost) {
        if (key_.size() == 0 || !(cost == cost_)) {
            auto made = slot_.wrapping_key(cost);
            CLINIC_TRY(made);
            key_ = std::move(*made);
            cost_ = cost;
        }
        return &key_;
    }

    const KeySlot& slot_;
    StretchCost cost_{};
    SecureBytes key_;
};

// Slots are copied as they stand, so two superblocks of one change differ in nothing but their sequence. Those of
// version 1 were wrapped each by itself.
bool is_behind(Image used, Image other) {
    const std::uint32_t version = number_at(used, at::version);
    if (version == superblock_version_plain) return number_at(other, at::version) != version;
    const auto rest = at::sequence + sizeof(std::uint64_t);
    return !std::ranges::equal(used.first(at::sequence), other.first(at::sequence)) ||
           !std::ranges::equal(used.subspan(rest, at::checksum - rest), other.subspan(rest, at::checksum - rest));
}

void put_slot_entry(std::span<std::byte> image, const SlotEntry& slot, std::uint32_t version) {
    put_number(image, static_cast<std::uint32_t>(slot.kind));
    put_number(image.subspan(key_entry_epoch_at), slot.epoch);
    std::ranges::copy(slot.wrapped, image.subspan(key_entry_wrapped_at).begin());
    if (version == superblock_version_plain) return;
    namespace in = slot_entry_at;
    put_number(image.subspan(in::number), slot.number);
    put_number(image.subspan(in::made), static_cast<std::uint64_t>(slot.made_us));
    put_number(image.subspan(in::passes), slot.cost.passes);
    put_number(image.subspan(in::memory_kib), slot.cost.memory_kib);
    std::ranges::copy(slot.cost.salt, image.subspan(in::salt).begin());
    put_number(image.subspan(in::label_bytes), static_cast<std::uint32_t>(slot.label.size()));
    std::ranges::copy(std::as_bytes(std::span{slot.label}), image.subspan(in::label).begin());
}

constexpr Error forged{Errc::tampered, "both superblocks of the store are damaged", "restore it from a backup"};

Error does_not_open(SlotKind kind) {
    switch (kind) {
    case SlotKind::recovery:
        return {Errc::locked, "these words are whole and do not open this store",
                "they are another store's, or of a slot that was removed: take this box's newest paper"};
    case SlotKind::passphrase:
        return {Errc::locked, "the passphrase does not open the store",
                "look at the capitals and at the keyboard's language, or use the 24 words"};
    case SlotKind::machine: break;
    }
    return {Errc::locked, "the key does not open the store",
            "give the key it was made with, or open it with the recovery words: clinicctl keys recover"};
}

} // namespace

std::optional<SlotEntry> read_slot_entry(std::span<const std::byte> image, std::uint32_t version) {
    SlotEntry slot;
    slot.kind = SlotKind{get_number<std::uint32_t>(image)};
    slot.epoch = number_at(image, key_entry_epoch_at);
    std::ranges::copy(image.subspan(key_entry_wrapped_at, wrapped_key_bytes), slot.wrapped.begin());
    if (version == superblock_version_plain) return slot.kind == SlotKind::machine ? std::optional{slot} : std::nullopt;
    namespace in = slot_entry_at;
    slot.number = number_at(image, in::number);
    slot.made_us = static_cast<std::int64_t>(get_number<std::uint64_t>(image.subspan(in::made)));
    slot.cost = {.passes = number_at(image, in::passes), .memory_kib = number_at(image, in::memory_kib)};
    std::ranges::copy(image.subspan(in::salt, slot.cost.salt.size()), slot.cost.salt.begin());
    const std::uint32_t label_bytes = number_at(image, in::label_bytes);
    if (label_bytes > label_bytes_max || slot.number == 0) return std::nullopt;
    slot.label.assign(reinterpret_cast<const char*>(image.subspan(in::label).data()), label_bytes);
    switch (slot.kind) {
    case SlotKind::machine:
    case SlotKind::recovery: return slot.cost == StretchCost{} ? std::optional{std::move(slot)} : std::nullopt;
    case SlotKind::passphrase: return is_bounded(slot.cost) ? std::optional{std::move(slot)} : std::nullopt;
    }
    return std::nullopt;
}

Result<SlotEntry> make_slot_entry(const Superblock& of, const SecureBytes& store_key, const KeySlot& slot) {
    SlotEntry made{.kind = slot.kind(), .epoch = of.epoch};
    if (slot.kind() == SlotKind::passphrase) made.cost = new_stretch_cost();
    const auto key = slot.wrapping_key(made.cost);
    CLINIC_TRY(key);
    const auto associated = associated_data(of.store, {Piece::store_key, of.epoch});
    std::ranges::copy(seal(*key, store_key.bytes(), associated), made.wrapped.begin());
    return made;
}

Result<void> wrap_anew(Superblock& superblock, const SecureBytes& store_key, const KeySlot& slot,
                       std::uint32_t number) {
    auto made = make_slot_entry(superblock, store_key, slot);
    CLINIC_TRY(made);
    made->number = number;
    const auto old = std::ranges::find(superblock.slots, number, &SlotEntry::number);
    if (old == superblock.slots.end()) {
        superblock.slots.push_back(std::move(*made));
    } else {
        made->label = old->label;
        made->made_us = old->made_us;
        *old = std::move(*made);
    }
    if (slot.kind() != SlotKind::machine) superblock.version = superblock_version_slots;
    return {};
}

Result<std::optional<SecureBytes>> open_slot_entry(const SlotEntry& entry, const StoreUuid& store,
                                                   const KeySlot& slot) {
    if (entry.kind != slot.kind()) return std::optional<SecureBytes>{};
    const auto key = slot.wrapping_key(entry.cost);
    CLINIC_TRY(key);
    auto opened = open_key(*key, entry.wrapped, associated_data(store, {Piece::store_key, entry.epoch}));
    return opened ? std::optional{std::move(*opened)} : std::optional<SecureBytes>{};
}

SuperblockImage make_superblock(const Superblock& superblock, const SecureBytes& store_key) {
    assert(superblock.slots.size() <= superblock_keys_max);
    SuperblockImage made{};
    const std::span<std::byte> image{made};
    std::ranges::copy(std::as_bytes(std::span{superblock_magic}), image.begin());
    put_number(image.subspan(at::version), superblock.version);
    put_number(image.subspan(at::cipher), static_cast<std::uint32_t>(superblock.cipher));
    put_number(image.subspan(at::page_size), static_cast<std::uint32_t>(page_bytes));
    put_number(image.subspan(at::reserve), static_cast<std::uint32_t>(trailer_bytes));
    std::ranges::copy(superblock.store, image.subspan(at::uuid).begin());
    put_number(image.subspan(at::sequence), superblock.sequence);
    put_number(image.subspan(at::epoch), superblock.epoch);
    put_number(image.subspan(at::keys), static_cast<std::uint32_t>(superblock.slots.size()));
    const std::size_t size = entry_bytes(superblock.version);
    for (std::size_t i = 0; i < superblock.slots.size(); ++i)
        put_slot_entry(image.subspan(at::key_table + i * size, size), superblock.slots[i], superblock.version);

    std::ranges::copy(digest(image.first(at::checksum)), image.subspan(at::checksum).begin());
    std::ranges::copy(mac(store_key, image), image.subspan(at::mac).begin());
    return made;
}

SuperblockImage make_superblock(Superblock superblock, const SecureBytes& store_key, const SecureBytes& slot_key) {
    auto entry = make_slot_entry(superblock, store_key, KeySlot::from_key(SecureBytes::copy_of(slot_key.bytes())));
    superblock.version = superblock_version_plain;
    superblock.slots.assign(1, std::move(entry).value());
    return make_superblock(superblock, store_key);
}

std::optional<Error> newer_than_known(std::uint32_t version, std::uint32_t cipher) {
    if (version > superblock_version_slots)
        return Error{Errc::newer, "the store has a newer format than this program knows", "update the program"};
    if (!is_known(CipherId{cipher}))
        return Error{Errc::newer, "the store has a cipher that this program does not know", "update the program"};
    return std::nullopt;
}

bool still_says(std::span<const std::byte> image, const OpenedSuperblock& opened) {
    return look_at(image) == Look::whole && has_mac(opened.store_key, image) &&
           !is_behind(make_superblock(opened.superblock, opened.store_key), image);
}

Result<OpenedSuperblock> open_superblocks(std::span<const std::byte> head, const KeySlot& slot) {
    std::vector<std::size_t> whole;
    for (std::size_t i = 0; i < superblocks; ++i) {
        const auto image = head.subspan(i * superblock_bytes, superblock_bytes);
        switch (look_at(image)) {
        case Look::damaged: break;
        case Look::newer: return *newer_than_known(number_at(image, at::version), number_at(image, at::cipher));
        case Look::whole: whole.push_back(i); break;
        }
    }
    const auto image = [&](std::size_t i) { return head.subspan(i * superblock_bytes, superblock_bytes); };
    bool all_forged = whole.empty();
    std::ranges::sort(whole, std::ranges::greater{}, [&](std::size_t i) { return fields_of(image(i)).sequence; });

    // One that this key does not open is not damaged: it may have been wrapped for another.
    bool damaged = whole.size() < superblocks;
    Opener opener{slot};
    std::optional<OpenedSuperblock> opened;
    for (const std::size_t i : whole) {
        Superblock fields = fields_of(image(i));
        auto unwrapped = opener.unwrap(fields);
        CLINIC_TRY(unwrapped);
        if (!*unwrapped) continue;
        if (!has_mac((*unwrapped)->store_key, image(i)))
            damaged = all_forged = true;
        else if (!opened)
            opened = OpenedSuperblock{.superblock = std::move(fields),
                                      .store_key = std::move((*unwrapped)->store_key),
                                      .used = i,
                                      .slot = (*unwrapped)->number};
    }
    if (!opened) return all_forged ? forged : does_not_open(slot.kind());
    opened->other_damaged = damaged;
    for (const std::size_t i : whole) {
        if (i == opened->used || !has_mac(opened->store_key, image(i))) continue;
        // The store's own, newer, and without this slot: it was removed.
        if (fields_of(image(i)).sequence > opened->superblock.sequence) return does_not_open(slot.kind());
        opened->other_behind = is_behind(image(opened->used), image(i));
    }
    return std::move(*opened);
}

} // namespace clinic::crypto
