#include "crypto/key_table.h"

#include <algorithm>

#include "crypto/base/log.h"

namespace clinic::crypto {
namespace {

std::uint32_t highest_number(const std::vector<SlotEntry>& slots) {
    std::uint32_t highest = 0;
    for (const SlotEntry& slot : slots) highest = std::max(highest, slot.number);
    return highest;
}

bool is_label(std::string_view text) {
    return text.size() <= label_bytes_max &&
           std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

// Whose place a new one takes: a passphrase's that of the one before; a machine's, where there is no other place, that
// of the oldest machine that is not this one. nullopt: nobody's.
std::optional<std::uint32_t> place_taken(const std::vector<SlotEntry>& slots, SlotKind kind, std::uint32_t in_use) {
    std::optional<std::uint32_t> taken;
    for (const SlotEntry& slot : slots) {
        const bool same = slot.kind == kind && kind != SlotKind::recovery;
        const bool oldest = !taken || slot.number < *taken;
        if (same && oldest && (kind == SlotKind::passphrase || slot.number != in_use)) taken = slot.number;
    }
    if (kind == SlotKind::machine && slots.size() < superblock_keys_max) return std::nullopt;
    return taken;
}

} // namespace

KeyTable::KeyTable(BlockFile file, OpenedSuperblock opened)
    : state_{new State{.file = std::move(file),
                       .next_number = 1 + highest_number(opened.superblock.slots),
                       .opened = std::move(opened)}} {}

std::vector<SlotFacts> KeyTable::slots() const {
    const std::scoped_lock lock{state_->changing};
    std::vector<SlotFacts> facts;
    for (const SlotEntry& slot : state_->opened.superblock.slots)
        facts.push_back(
            {slot.number, slot.epoch, slot.kind, slot.made_us, slot.label, slot.number == state_->opened.slot});
    return facts;
}

Result<std::uint32_t> KeyTable::add(const KeySlot& slot, std::string_view label, std::int64_t made_us) {
    if (!is_label(label))
        return Error{Errc::malformed, "the label has more than 32 characters, or odd ones", "take a shorter one"};
    const std::scoped_lock lock{state_->changing};
    CLINIC_TRY(write_other());
    auto slots = state_->opened.superblock.slots;
    if (const auto taken = place_taken(slots, slot.kind(), state_->opened.slot))
        std::erase_if(slots, [&](const SlotEntry& one) { return one.number == *taken; });
    const std::size_t places = superblock_keys_max - (slot.kind() == SlotKind::machine ? 0 : 1);
    if (slots.size() >= places)
        return Error{Errc::full, "the store has no place for another key slot",
                     "remove one that is not needed: clinicctl keys list, clinicctl keys remove NUMBER"};
    auto entry = make_slot_entry(state_->opened.superblock, state_->opened.store_key, slot);
    CLINIC_TRY(entry);
    entry->number = state_->next_number;
    entry->made_us = made_us;
    entry->label = label;
    slots.push_back(std::move(*entry));
    CLINIC_TRY(write(std::move(slots)));
    return state_->next_number++;
}

Result<void> KeyTable::look_at_removal(std::uint32_t number, Unattended unattended) const {
    const auto& slots = state_->opened.superblock.slots;
    const auto found = std::ranges::find(slots, number, &SlotEntry::number);
    if (found == slots.end())
        return Error{Errc::not_found, "there is no key slot of that number", "see them: clinicctl keys list"};
    const auto left = [&](auto counts) {
        return std::ranges::any_of(slots, [&](const SlotEntry& slot) { return slot.number != number && counts(slot); });
    };
    const auto is_this_machine = [&](const SlotEntry& slot) { return slot.number == state_->opened.slot; };
    const bool people_left = left([](const SlotEntry& slot) { return slot.kind != SlotKind::machine; });
    // Another machine's slot counts for nothing: that machine may be gone.
    if (!people_left && !left(is_this_machine))
        return Error{Errc::refused,
                     "without this key slot nothing opens the records, ever: other machines' do not count",
                     "make another first: clinicctl keys recovery begin"};
    if (found->kind == SlotKind::machine && number == state_->opened.slot && unattended == Unattended::stays)
        return Error{Errc::refused, "this is the slot that this box starts with by itself",
                     "leave it; or add --word stays-locked: after its next start the box waits for a person with the "
                     "words"};
    if (found->kind != SlotKind::machine && !people_left && unattended == Unattended::stays)
        return Error{Errc::refused,
                     "this is the last slot of a person: without it this machine alone opens the records",
                     "make another first: clinicctl keys recovery begin; or add --word stays-locked: whoever loses "
                     "this machine then loses the records"};
    return {};
}

Result<void> KeyTable::may_remove(std::uint32_t number, Unattended unattended) const {
    const std::scoped_lock lock{state_->changing};
    return look_at_removal(number, unattended);
}

Result<void> KeyTable::remove(std::uint32_t number, Unattended unattended) {
    const std::scoped_lock lock{state_->changing};
    CLINIC_TRY(look_at_removal(number, unattended));
    CLINIC_TRY(write_other());
    auto slots = state_->opened.superblock.slots;
    std::erase_if(slots, [&](const SlotEntry& slot) { return slot.number == number; });
    return write(std::move(slots));
}

Result<std::optional<std::uint32_t>> KeyTable::opened_by(const KeySlot& slot) const {
    const Superblock now = [this] {
        const std::scoped_lock lock{state_->changing};
        return state_->opened.superblock;
    }();
    for (const SlotEntry& entry : now.slots) {
        const auto key = open_slot_entry(entry, now.store, slot);
        CLINIC_TRY(key);
        if (*key && (*key)->same_as(state_->opened.store_key.bytes())) return std::optional{entry.number};
    }
    return std::optional<std::uint32_t>{};
}

Result<int> KeyTable::mend() {
    const std::scoped_lock lock{state_->changing};
    CLINIC_TRY(write_other());
    // One that the disk does not give is written anew as well: it may have another place for it.
    const auto is_whole = [this](std::size_t which) {
        SuperblockImage image{};
        const auto read = state_->file.read(which * superblock_bytes, image);
        return read && *read && still_says(image, state_->opened);
    };
    int mended = 0;
    for (std::size_t i = 0; i < superblocks; ++i) {
        if (is_whole(i)) continue;
        base::log(base::Level::warning, "store", "a superblock is damaged, or behind; it is written anew");
        CLINIC_TRY(put(state_->opened.superblock, i));
        ++mended;
    }
    return mended;
}

// Into that one of the two, which is in use from then on. Durable when it returns; else what it holds counts still, and
// the number that may have reached the disk is not given again.
Result<void> KeyTable::put(Superblock next, std::size_t where) {
    OpenedSuperblock& opened = state_->opened;
    opened.superblock.sequence = ++next.sequence;
    CLINIC_TRY(state_->file.write(where * superblock_bytes, make_superblock(next, opened.store_key)));
    CLINIC_TRY(state_->file.sync());
    opened.superblock = std::move(next);
    opened.used = where;
    return {};
}

// Into the older one first: until that is synced the newer one holds the slots as they were.
Result<void> KeyTable::write(std::vector<SlotEntry> slots) {
    Superblock next = state_->opened.superblock;
    next.version = superblock_version_slots;
    next.slots = std::move(slots);
    CLINIC_TRY(put(std::move(next), 1 - state_->opened.used));
    state_->other_missing = true;
    // From here on the change holds. A slot that was removed is gone when the other one is written too: the next open
    // does that, and the next change.
    if (const auto both = write_other(); !both) base::log(base::Level::error, "store: one superblock", both.error());
    return {};
}

Result<void> KeyTable::write_other() {
    if (!state_->other_missing) return {};
    CLINIC_TRY(put(state_->opened.superblock, 1 - state_->opened.used));
    state_->other_missing = false;
    return {};
}

} // namespace clinic::crypto
