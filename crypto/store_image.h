// A store's files as they lie, opened with the key and without SQLite: each page in its newest authentic version, and
// what does not open. Changes nothing, and stops at no damage: for looking at a store, and for saving what is left.
//   Bounds:  a page of memory, and 16 bytes for each frame of the WAL.
//   Errors:  open: not_found, locked, newer, unsupported, refused, system; tampered, where not even a wrapped key
//   opens.
//            Damage behind that is a finding.
//   Threads: one.
//   Format:  docs/store-format.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/key_slot.h"
#include "crypto/page_cipher.h"
#include "crypto/store_look.h"
#include "crypto/superblock.h"

namespace clinic::crypto {

struct WalFindings {
    std::uint64_t frames = 0;                // whole slots in the file
    std::uint64_t committed = 0;             // of those, up to the last commit that counts
    std::vector<std::uint64_t> damaged = {}; // committed frames that do not open, and those that the disk does not give
    std::vector<std::uint32_t> older = {};   // pages whose newest version was in one of those
    std::uint64_t unnamed = 0;               // damaged frames of which not even the page is known
    bool head_damaged = false, foreign = false;
};

class StoreImage {
public:
    static Result<StoreImage> open(const std::filesystem::path& database, const KeySlot& slot);

    const Superblock& superblock() const { return superblock_; }
    std::uint32_t slot() const { return slot_; } // the number of the one that opened it
    const SecureBytes& store_key() const { return store_key_; }
    SecureBytes subkey(std::uint64_t id) const; // as SealedVfs::subkey
    int damaged_superblocks() const { return damaged_superblocks_; }
    const WalFindings& wal() const { return wal_; }
    std::uint32_t pages() const { return pages_; }
    // The page as SQLite sees it, its newest version that opens. False: none does; `out` holds zeros.
    [[nodiscard]] bool read(std::uint32_t page, Page& out) const;
    // Does the version in the database's own file open? For what a checkpoint has not written over yet.
    [[nodiscard]] bool in_file(std::uint32_t page, Page& out) const;
    bool in_wal(std::uint32_t page) const { return newest_.contains(page); }
    // Pages that the disk did not give at some time, though the file has room for them.
    const std::unordered_set<std::uint32_t>& refused() const { return refused_; }

private:
    StoreImage(ReadFile file, std::optional<ReadFile> wal, OpenedSuperblock opened);
    Result<void> read_wal();                   // newer
    bool is_refused(std::uint32_t page) const; // false

    ReadFile file_;
    std::optional<ReadFile> wal_file_;
    Superblock superblock_;
    std::uint32_t slot_;
    SecureBytes store_key_;
    PageCipher cipher_;
    int damaged_superblocks_ = 0;
    std::uint32_t pages_ = 0;
    std::uint64_t generation_ = 0;
    WalFindings wal_;
    std::unordered_map<std::uint32_t, std::uint64_t> newest_; // page to frame
    mutable std::unordered_set<std::uint32_t> refused_;
};

} // namespace clinic::crypto
