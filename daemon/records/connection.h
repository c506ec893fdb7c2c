// One connection to the sealed database, set up so that nothing reaches the disk beside the database and its WAL.
//   Errors:  `sqlite_error` says which SQLite code becomes which of ours.
//   Bounds:  statements_kept_max statements stay prepared; the one that was not used for longest goes.
//   Threads: one at a time; `add_use` any.
//   Source:  facts/encrypted-sqlite §3, §7.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <unordered_map>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "daemon/records/statement_use.h"
#include "daemon/records/store.h"

namespace clinic::records {

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close_v2>>;
using OwnedStatement = std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>>;

class Connection;

struct Prepared {
    Connection& owner;
    Literal sql;
    UseCounter& use;
    OwnedStatement statement;
    bool lent = false;
    bool stepped = false;             // since the last reset
    std::chrono::nanoseconds took{0}; // in those steps
};

inline constexpr std::size_t statements_kept_max = 256;

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
    // No step goes on after `end`: timeout. nullopt: as long as it takes.
    void end_by(std::optional<CoarseClock::time_point> end);
    bool was_cut() const { return cut_; } // since end_by
    // From here on statements that take longer are told. Must outlive the connection, or be null.
    void watch(SlowStatements* slow) { slow_ = slow; }
    void add_use(std::vector<StatementUse>& all) const { use_.add_to(all); }
    std::size_t statements_kept() const { return kept_.size(); }
    // What is in the WAL after it; 0: nothing. Only the writer's connection may.
    Result<std::int64_t> checkpoint(int mode);
    sqlite3* handle() const { return db_.get(); }

private:
    friend class Statement;
    using Kept = std::list<Prepared>;

    explicit Connection(Db db) : db_{std::move(db)} {}
    Result<void> set_up(Role role, int cache_kib);
    void make_room();
    bool is_over() { return end_ && (cut_ = cut_ || CoarseClock::now() > *end_); }
    int step(Prepared& lent);
    void account(Prepared& lent);

    Db db_;
    UseBook use_;
    Kept kept_;                                                       // the one that was asked for last at the front
    std::unordered_multimap<const char*, Kept::iterator> by_literal_; // one literal may be in use twice at a time
    SlowStatements* slow_ = nullptr;
    std::optional<CoarseClock::time_point> end_;
    bool cut_ = false;
};

} // namespace clinic::records
