// SQLite pages, WAL header, frame headers and frames, sealed on their way to the disk.
//   Format:  docs/store-format.md (superblocks A/B, 4,096-byte pages with 40 reserved, WAL slots of 4,208).
//   Base:    the `unix-excl` VFS: one process, no -shm file. `flock` on "<database>.lock" besides.
//   Errors:  see `open`; while running, SQLite reports SQLITE_NOTADB (page 1), SQLITE_IOERR_DATA (any other page).
//   Threads: as SQLite's VFS: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "crypto/aead.h"
#include "crypto/base/result.h"
#include "crypto/key_slot.h"
#include "crypto/key_table.h"
#include "crypto/seal.h"
#include "crypto/store_uuid.h"

namespace clinic::crypto {

enum class IfAbsent { create, fail };

// One database file and the VFS registered for it. Outlives every connection opened through `name()`.
class SealedVfs {
public:
    // Reads the superblocks, or makes them when there is no database and `if_absent` says so.
    // Errors: locked (wrong key), tampered (superblock), newer (format version), not_found, conflict
    // (a WAL or a keystore without its database: never an empty store in place of an old one),
    // full, system, unsupported (a network file system), refused (somebody else holds the lock file). A store is made
    // in WAL mode, renamed into place.
    // A new store has `cipher`, or the one that is fastest here.
    static Result<std::unique_ptr<SealedVfs>> open(const std::filesystem::path& database, const KeySlot& slot,
                                                   IfAbsent if_absent, std::optional<CipherId> cipher = std::nullopt);
    ~SealedVfs();
    SealedVfs(const SealedVfs&) = delete;
    SealedVfs& operator=(const SealedVfs&) = delete;

    const char* name() const; // for sqlite3_open_v2
    const StoreUuid& store() const;
    CipherId cipher() const;
    // Nothing was ever stored in it: this call made it, or an earlier one that got no further than that.
    bool made() const;
    SecureBytes subkey(std::uint64_t id) const; // of the store key, for what is sealed above the pages; ids from 100
    KeyTable& keys();
    std::uint64_t authentication_failures() const; // pages and frames that did not open, since start
    std::uint64_t recovery_failures() const;       // of those, frames that ended the recovery of the WAL
    std::uint64_t refused_reads() const;           // by the disk, since start: no sign of damage

    struct State;

private:
    explicit SealedVfs(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace clinic::crypto
