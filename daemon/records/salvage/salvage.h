// A damaged store looked at, checked, and saved: what can be read is copied, row by row and around what is lost, into a
// new store that opens; the old files stay as they are.
//   The new store keeps the uuid and the store key of the old one. Sealed fields, blind indexes, the audit chain and
//   the keystore are bound to them: sealed anew under others they would no longer be what the chain and its exported
//   anchors say, and a patient's data would have to be opened to be copied. Its key epoch is one higher, so no nonce of
//   a scheme that counts within an epoch can come again. Errors:  refused (a process has the store open, or `to` is not
//   empty), not_found, locked, tampered (not even a
//            wrapped key opens), conflict (no keystore), newer, full, system.
//   Threads: one.
//   Words:   docs/clinicctl.md, "The store".
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/owned.h"
#include "crypto/key_slot.h"
#include "crypto/keystore.h"
#include "crypto/store_image.h"
#include "daemon/audit/walk.h"
#include "daemon/records/salvage/survey.h"

namespace clinic::salvage {

inline constexpr std::uint64_t wrapping_subkey = 100; // of the store key, for the keystore

// The store's lock, so that nobody opens it meanwhile. Errors: refused (somebody has it), not_found, system.
Result<base::UniqueFd> hold(const std::filesystem::path& folder);

struct Checked {
    crypto::StoreUuid store{};
    int damaged_superblocks = 0;
    std::uint32_t pages = 0;
    crypto::WalFindings wal;
    Survey survey;
    bool keystore_missing = false;
    crypto::KeystoreFindings keys;
    std::vector<std::string> integrity;    // what SQLite's own check says: names of the schema and numbers alone
    std::vector<audit::Gap> missing_links; // of the audit chain; those that a link says are known
    std::int64_t salvaged_rows_aside = -1; // of a store that a salvage made: rows in its record; -1: none that opens
    bool salvage_record_damaged = false;   // it is there, and cannot be read or does not open
    bool needs_salvage() const;            // the store itself is damaged
    bool keystore_opens() const;
    bool sound() const { return !needs_salvage() && keys.head_whole && !salvage_record_damaged; }
};

// Every page, WAL frame and key slot, and SQLite's integrity check. Changes nothing.
Result<Checked> check(const std::filesystem::path& folder, const crypto::KeySlot& slot);

struct TableSalvaged {
    std::string table;
    std::int64_t rows = 0;       // copied
    std::int64_t rows_aside = 0; // read, and kept in the salvage record
    std::int64_t rows_lost = 0;  // known of, and not readable
    std::int64_t pages_lost = 0;
    bool whole() const { return rows_aside == 0 && rows_lost == 0 && pages_lost == 0; }
};

struct Salvaged {
    crypto::StoreUuid store{};
    int damaged_superblocks = 0;
    std::vector<TableSalvaged> tables;
    std::int64_t pages_lost = 0, pages_older = 0;
    std::int64_t frames_damaged = 0;       // of the WAL; its header, or that it is of another store, is one more
    std::int64_t rows_aside_of_nobody = 0; // of pages that nothing leads to and that fit no table, or several
    std::int64_t keys = 0, keys_damaged = 0;
    std::int64_t found_anew = 0;        // people whose indexes were written anew
    std::int64_t not_found_anew = 0;    // of those, people whose own data does not open
    std::vector<audit::Gap> lost_links; // of the audit chain: the new one says them
    bool basis_closed = false; // something was lost, so nothing leaves until a person sets the legal basis again
    bool complete() const;     // nothing was lost
};

// `to` is made; it must not be there, or be empty. Until it is whole it is called `to`.unfinished.
Result<Salvaged> salvage(const std::filesystem::path& from, const std::filesystem::path& to,
                         const crypto::KeySlot& slot, const Clock& clock);

} // namespace clinic::salvage
