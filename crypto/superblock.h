// The two superblocks at the start of a store: what it is, and its key wrapped by each key slot's.
// One is written at a time, the older one, so that a power cut leaves the other.
//   Format:  docs/store-format.md, "Superblock" and "Key slots".
//   Errors:  locked (wrong key), tampered (neither is whole), newer (format version or cipher), full (a passphrase, and
//            no memory for it).
//   Threads: any; stateless. To open with a passphrase takes a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/key_slot.h"
#include "crypto/secure_bytes.h"
#include "crypto/store_layout.h"

namespace clinic::crypto {

using SuperblockImage = std::array<std::byte, superblock_bytes>;

// One key slot as it is stored.
struct SlotEntry {
    SlotKind kind = SlotKind::machine;
    std::uint32_t epoch = 1; // in which the store key was wrapped
    std::array<std::byte, wrapped_key_bytes> wrapped{};
    std::uint32_t number = 1;
    std::int64_t made_us = 0; // UTC microseconds; 0: an earlier version did not say
    StretchCost cost{};       // of a passphrase
    std::string label = {};   // at most label_bytes_max
};

struct Superblock {
    CipherId cipher = CipherId::xchacha20_poly1305;
    StoreUuid store{};
    std::uint64_t sequence = 1;
    std::uint32_t epoch = 1;
    std::vector<SlotEntry> slots = {};
    std::uint32_t version = superblock_version_plain;
};

struct OpenedSuperblock {
    Superblock superblock;
    SecureBytes store_key;
    std::size_t used = 0; // 0: A, 1: B
    // The other one is to be written anew: it is damaged, or of before a change of the slots that this one holds.
    bool other_damaged = false, other_behind = false;
    std::uint32_t slot = 1; // the number of the one that opened it
};

// Errors: full, of a passphrase.
Result<SlotEntry> make_slot_entry(const Superblock& of, const SecureBytes& store_key, const KeySlot& slot);
// The slot of that number wrapped anew in the superblock's epoch, or made where it is not there. Errors: full.
Result<void> wrap_anew(Superblock& superblock, const SecureBytes& store_key, const KeySlot& slot, std::uint32_t number);
// The store key that this entry holds for this slot; nullopt: not for this one. Errors: full.
Result<std::optional<SecureBytes>> open_slot_entry(const SlotEntry& entry, const StoreUuid& store, const KeySlot& slot);
// An entry of the key table as its bytes stand there; nullopt: no slot that can be.
std::optional<SlotEntry> read_slot_entry(std::span<const std::byte> entry, std::uint32_t version);

SuperblockImage make_superblock(const Superblock& superblock, const SecureBytes& store_key);
// With one machine slot, of that key.
SuperblockImage make_superblock(Superblock superblock, const SecureBytes& store_key, const SecureBytes& slot_key);

// Why a whole superblock of that version and cipher is not read any further; nullopt: both are known.
std::optional<Error> newer_than_known(std::uint32_t version, std::uint32_t cipher);

// Whether a superblock's bytes still say what was opened; the sequence may be another.
bool still_says(std::span<const std::byte> image, const OpenedSuperblock& opened);

// `head` is the first main_head_bytes of the main file.
Result<OpenedSuperblock> open_superblocks(std::span<const std::byte> head, const KeySlot& slot);

} // namespace clinic::crypto
