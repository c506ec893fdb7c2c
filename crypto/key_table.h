// The key slots of a store that is open, and their changes. Each change is written to one superblock, synced, and then
// to the other: after a power cut all of it holds or nothing, and the next open brings the other one up.
//   Bounds:  superblock_keys_max slots, one of them a passphrase; the last place is kept for a machine's.
//   Errors:  system, full (the disk; no place is left; no memory for a passphrase), besides what each says.
//   Threads: any. To add or try a passphrase takes a second.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/block_file.h"
#include "crypto/key_slot.h"
#include "crypto/superblock.h"

namespace clinic::crypto {

// What may be told of one.
struct SlotFacts {
    std::uint32_t number = 0, epoch = 0;
    SlotKind kind = SlotKind::machine;
    std::int64_t made_us = 0; // UTC microseconds; 0: not known
    std::string label;
    bool in_use = false; // the store was opened with it
};

enum class Unattended { stays, may_end }; // does this box go on to open by itself

class KeyTable {
public:
    // `file` stays open for as long as the table lives.
    KeyTable(BlockFile file, OpenedSuperblock opened);

    std::vector<SlotFacts> slots() const;
    // Its number, which is higher than that of any there is. A passphrase takes the place of the one before. Where no
    // place is left, a machine's takes that of the oldest other machine's. Errors: malformed (the label: at most 32
    // bytes, no control characters).
    Result<std::uint32_t> add(const KeySlot& slot, std::string_view label, std::int64_t made_us);
    // Errors: not_found; refused: only other machines' would be left; where it `stays`: this one's, people's last.
    Result<void> may_remove(std::uint32_t number, Unattended unattended) const;
    Result<void> remove(std::uint32_t number, Unattended unattended);
    // The one that this opens; nullopt: none.
    Result<std::optional<std::uint32_t>> opened_by(const KeySlot& slot) const;

    // Both superblocks as they lie on the disk; one that is damaged is written anew. How many were.
    Result<int> mend();

    const SecureBytes& store_key() const { return state_->opened.store_key; }

private:
    struct State {
        BlockFile file;
        std::uint32_t next_number;
        OpenedSuperblock opened;
        bool other_missing = false; // the newest slots stand in one superblock alone
        mutable std::mutex changing;
    };
    Result<void> look_at_removal(std::uint32_t number, Unattended unattended) const; // under `changing`
    Result<void> write(std::vector<SlotEntry> slots);
    Result<void> put(Superblock next, std::size_t where);
    Result<void> write_other();

    std::unique_ptr<State> state_;
};

} // namespace clinic::crypto
