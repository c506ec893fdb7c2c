// One connection to the sealed database, set up so that nothing reaches the disk beside the database and its WAL.
//   Errors:  `sqlite_error` says which SQLite code becomes which of ours.
//   Threads: one at a time.
//   Source:  facts/encrypted-sqlite §3, §7.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <list>
#include <memory>
#include <unordered_map>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "daemon/records/store.h"

namespace clinic::records {

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close_v2>>;
using OwnedStatement = std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>>;

struct Prepared {
    OwnedStatement statement;
    bool lent = false;
};

enum class Role { writer, reader };

// Tampered: NOTADB and IOERR_DATA, a page that did not open. Full: no room. Conflict: a constraint. Corrupt: authentic
// pages that make no sense, or a statement that does not fit. System: all else.
Error sqlite_error(sqlite3* db, int code, Literal what);

class Connection {
public:
    static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& database, const char* vfs, Role role,
                                                    int cache_kib);
    // From here on PRAGMA, ATTACH and DETACH are refused.
    void close_the_door();

    Result<Statement> prepare(Literal sql);
    Result<void> run(Literal sql);            // prepared, stepped to the end
    Result<void> run_script(const char* sql); // many statements: a migration
    Result<std::int64_t> number(Literal sql); // the first column of the first row
    Result<void> check_pages();               // PRAGMA quick_check
    bool in_transaction() const { return sqlite3_get_autocommit(db_.get()) == 0; }
    // What is in the WAL after it; 0: nothing. Only the writer's connection may.
    Result<std::int64_t> checkpoint(int mode);
    sqlite3* handle() const { return db_.get(); }

private:
    explicit Connection(Db db) : db_{std::move(db)} {}
    Result<void> set_up(Role role, int cache_kib);

    Db db_;
    std::unordered_map<const char*, std::list<Prepared>> cache_; // one literal may be in use twice at a time
};

} // namespace clinic::records
