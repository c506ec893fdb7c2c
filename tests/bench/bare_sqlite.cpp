#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "crypto/base/owned.h"
#include "tests/bench/commands.h"
#include "tests/bench/figures.h"

namespace clinic::bench {
namespace {

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close_v2>>;
using Statement = std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>>;

constexpr std::size_t page_bytes = 4'096;

// One page overwritten and made durable, again and again: a commit can cost no less.
Spans fdatasyncs(const std::filesystem::path& folder, double seconds) {
    const auto file = folder / "bare-sync";
    const base::UniqueFd fd{open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!fd) give_up("no file can be made in " + folder.string());
    const std::array<char, page_bytes> page{};
    constexpr off_t pages = 256;
    for (off_t i = 0; i < pages; ++i) {
        if (pwrite(fd.get(), page.data(), page.size(), i * static_cast<off_t>(page_bytes)) < 0)
            give_up("a page is not written");
    }
    fsync(fd.get());
    Spans spans;
    const Instant begin = now();
    for (off_t i = 0; seconds_between(begin, now()) < seconds; i = (i + 1) % pages) {
        const Instant before = now();
        if (pwrite(fd.get(), page.data(), page.size(), i * static_cast<off_t>(page_bytes)) < 0 ||
            fdatasync(fd.get()) != 0)
            give_up("a page is not made durable");
        spans.add(seconds_between(before, now()));
    }
    std::filesystem::remove(file);
    return spans;
}

class BareDatabase {
public:
    BareDatabase(const std::filesystem::path& folder, std::size_t row_bytes)
        : file_{folder / "bare.db"}, row_(row_bytes, 'x') {
        clear();
        sqlite3* raw = nullptr;
        if (sqlite3_open(file_.c_str(), &raw) != SQLITE_OK) give_up("a bare database does not open");
        db_.reset(raw);
        // As the store is set, but for the encryption: WAL, durable at each commit, a checkpoint at 2,000 pages.
        run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=2000;"
            "CREATE TABLE message (id INTEGER PRIMARY KEY, body TEXT);"
            "CREATE TABLE token (digest BLOB PRIMARY KEY, person INTEGER) WITHOUT ROWID;"
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " INSERT INTO token SELECT randomblob(32), i FROM n");
        insert_ = prepared("INSERT INTO message (body) VALUES (?)");
        scatter_ = prepared("INSERT INTO token VALUES (randomblob(32), 1)");
        sqlite3_bind_text(insert_.get(), 1, row_.data(), static_cast<int>(row_.size()), SQLITE_STATIC);
    }
    ~BareDatabase() {
        insert_.reset();
        scatter_.reset();
        db_.reset();
        clear();
    }
    BareDatabase(const BareDatabase&) = delete;
    BareDatabase& operator=(const BareDatabase&) = delete;

    // `scattered` rows more in each commit, each in a page of its own more or less: what an index of digests costs.
    Spans commit(std::int64_t rows, std::int64_t scattered, double seconds) {
        Spans spans;
        const Instant begin = now();
        while (seconds_between(begin, now()) < seconds) {
            const Instant before = now();
            run("BEGIN IMMEDIATE");
            for (std::int64_t i = 0; i < rows; ++i) put(insert_);
            for (std::int64_t i = 0; i < scattered; ++i) put(scatter_);
            run("COMMIT");
            spans.add(seconds_between(before, now()));
        }
        return spans;
    }

private:
    static void put(const Statement& row) {
        if (sqlite3_step(row.get()) != SQLITE_DONE) give_up("a row is not inserted");
        sqlite3_reset(row.get());
    }
    Statement prepared(const char* sql) {
        sqlite3_stmt* statement = nullptr;
        sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr);
        return Statement{statement};
    }
    void run(const char* sql) {
        if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(sqlite3_errmsg(db_.get()));
    }
    void clear() const {
        for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file_.string() + suffix);
    }

    std::filesystem::path file_;
    std::string row_;
    Db db_;
    Statement insert_, scatter_;
};

} // namespace

json bare_sqlite(const Arguments& given) {
    const std::filesystem::path folder = given.text("folder");
    const auto seconds = static_cast<double>(given.number("seconds", 3));
    const std::int64_t rows = given.number("rows", 1), scattered = given.number("scattered", 0);
    const Spans syncs = fdatasyncs(folder, seconds / 2);
    BareDatabase database{folder, static_cast<std::size_t>(given.number("row-bytes", 600))};
    const Instant begin = now();
    const Spans commits = database.commit(rows, scattered, seconds);
    const double took = seconds_between(begin, now());
    return {{"fdatasync", syncs.said()},
            {"rows_per_commit", rows},
            {"commit", commits.said()},
            {"commits_per_s", static_cast<double>(commits.count()) / took},
            {"rows_per_s", static_cast<double>(commits.count()) * static_cast<double>(rows) / took}};
}

} // namespace clinic::bench
