#include "tests/crypto/sql_store.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

#include "crypto/connection.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

using Statement = std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>>;

Statement prepare(sqlite3* db, const std::string& sql, int& code) {
    sqlite3_stmt* raw = nullptr;
    code = sqlite3_prepare_v2(db, sql.c_str(), -1, &raw, nullptr);
    return Statement{raw};
}

// noise(a, b, size): bytes that look random and are always the same.
void noise_of_two(sqlite3_context* context, int, sqlite3_value** values) {
    std::uint64_t state = static_cast<std::uint64_t>(sqlite3_value_int64(values[0])) * 0x9E3779B97F4A7C15U ^
                          static_cast<std::uint64_t>(sqlite3_value_int64(values[1])) * 0xC2B2AE3D27D4EB4FU ^ 1U;
    std::array<unsigned char, 1'000> bytes{};
    const auto size = static_cast<std::size_t>(sqlite3_value_int(values[2]));
    for (std::size_t i = 0; i < size && i < bytes.size(); ++i) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = static_cast<unsigned char>(state >> 32);
    }
    sqlite3_result_blob(context, bytes.data(), static_cast<int>(std::min(size, bytes.size())), SQLITE_TRANSIENT);
}

int let_noise(sqlite3* db) {
    return sqlite3_create_function(db, "noise", 3, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, noise_of_two, nullptr,
                                   nullptr);
}

constexpr const char* tables = "CREATE TABLE c(n INTEGER PRIMARY KEY, body BLOB);"
                               "CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, body BLOB);"
                               "CREATE INDEX i ON t(body)";

int run_on(sqlite3* db, const std::string& sql) {
    return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
}

int write_commit(sqlite3* db, int n) {
    const std::string number = std::to_string(n);
    std::string sql = "BEGIN IMMEDIATE; INSERT INTO c VALUES(" + number + ",noise(" + number + ",0,300));" +
                      "INSERT INTO t(n,body) SELECT " + number + ",noise(" + number +
                      ",n,900) FROM c ORDER BY n LIMIT 12;";
    if (n % 3 == 0)
        sql += "SAVEPOINT s; UPDATE t SET body=noise(id," + number + ",950); DELETE FROM t WHERE id%2=0;" +
               "ROLLBACK TO s; RELEASE s;";
    sql += "UPDATE t SET body=noise(id," + number + ",800) WHERE id%7=" + std::to_string(n % 7) + ";";
    if (n % 5 == 0) sql += "DELETE FROM t WHERE n<" + number + "-6;";
    const int code = run_on(db, sql + "COMMIT");
    if (code != SQLITE_OK && sqlite3_get_autocommit(db) == 0) run_on(db, "ROLLBACK");
    return code;
}

void add(std::uint64_t& print, const void* bytes, int size) {
    const auto* at = static_cast<const unsigned char*>(bytes);
    for (int i = 0; i < size; ++i) print = (print ^ at[i]) * 0x100000001B3U;
}

// 0: cannot be read.
std::uint64_t fingerprint_of(sqlite3* db) {
    std::uint64_t print = 0xCBF29CE484222325U;
    for (const char* sql : {"SELECT n,0,body FROM c ORDER BY n", "SELECT id,n,body FROM t ORDER BY id"}) {
        int code = SQLITE_OK;
        const Statement rows = prepare(db, sql, code);
        if (code != SQLITE_OK) return 0;
        while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
            const std::array<sqlite3_int64, 2> numbers{sqlite3_column_int64(rows.get(), 0),
                                                       sqlite3_column_int64(rows.get(), 1)};
            add(print, numbers.data(), sizeof numbers);
            const void* body = sqlite3_column_blob(rows.get(), 2);
            add(print, body, sqlite3_column_bytes(rows.get(), 2));
        }
        if (code != SQLITE_DONE) return 0;
    }
    return print;
}

// From a database in memory, which is not kept: nothing of SQLite is open between two tests.
std::vector<std::uint64_t> make_prints(int commits) {
    sqlite3* raw = nullptr;
    sqlite3_open(":memory:", &raw);
    const std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close>> db{raw};
    let_noise(raw);
    run_on(raw, tables);
    std::vector<std::uint64_t> prints{fingerprint_of(raw)};
    while (prints.size() <= static_cast<std::size_t>(commits)) {
        const int code = write_commit(raw, static_cast<int>(prints.size()));
        assert(code == SQLITE_OK);
        prints.push_back(fingerprint_of(raw));
    }
    return prints;
}

} // namespace

SqlStore::SqlStore(Under under, const std::filesystem::path& database, IfAbsent if_absent) {
    const char* vfs = "unix-excl";
    if (under != Under::plain) {
        const auto cipher = under == Under::aes256 ? CipherId::aes256_gcm : CipherId::xchacha20_poly1305;
        auto opened = SealedVfs::open(database, key_slot(), if_absent, cipher);
        if (!opened) {
            why_ = opened.error();
            code_ = SQLITE_ERROR;
            return;
        }
        vfs_ = std::move(*opened);
        vfs = vfs_->name();
    }
    sqlite3* raw = nullptr;
    const int create = if_absent == IfAbsent::create ? SQLITE_OPEN_CREATE : 0;
    code_ = sqlite3_open_v2(database.c_str(), &raw, SQLITE_OPEN_READWRITE | create, vfs);
    db_.reset(raw);
    if (code_ != SQLITE_OK) return;
    sqlite3_extended_result_codes(raw, 1);
    if (under != Under::plain && !set_page_reserve(raw)) code_ = SQLITE_ERROR;
    if (code_ == SQLITE_OK) code_ = let_noise(raw);
    if (code_ == SQLITE_OK)
        code_ = run("PRAGMA temp_store=MEMORY; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                    "PRAGMA synchronous=FULL");
}

int SqlStore::run(const std::string& sql) const {
    return run_on(db_.get(), sql);
}

std::string SqlStore::text(const std::string& sql) const {
    int code = SQLITE_OK;
    const Statement statement = prepare(db_.get(), sql, code);
    if (code == SQLITE_OK) code = sqlite3_step(statement.get());
    if (code != SQLITE_ROW) return code == SQLITE_DONE ? "" : "error " + std::to_string(code);
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement.get(), 0));
    return text == nullptr ? "" : text;
}

int SqlStore::number(const std::string& sql) const {
    int code = SQLITE_OK;
    const Statement statement = prepare(db_.get(), sql, code);
    if (code != SQLITE_OK || sqlite3_step(statement.get()) != SQLITE_ROW) return -1;
    return sqlite3_column_int(statement.get(), 0);
}

int SqlStore::make_tables() const {
    return run(tables);
}

int SqlStore::commit(int n) const {
    return write_commit(db_.get(), n);
}

std::uint64_t SqlStore::fingerprint() const {
    return fingerprint_of(db_.get());
}

std::uint64_t fingerprint_after(int n) {
    static std::vector<std::uint64_t> prints;
    if (prints.size() <= static_cast<std::size_t>(n)) prints = make_prints(n + 20);
    return prints[static_cast<std::size_t>(n)];
}

Found judge_sql(Under under, const std::filesystem::path& folder, Bounds bounds) {
    const SqlStore store{under, folder / "records.db"};
    if (store.code() != SQLITE_OK)
        return {std::string{"it does not open: "} +
                (store.why() ? store.why()->what.c_str() : std::to_string(store.code()))};
    if (const auto whole = store.text("PRAGMA integrity_check"); whole != "ok") return {"integrity_check: " + whole};
    const int found = store.commits();
    if (found < bounds.at_least || found > bounds.at_most)
        return {std::to_string(found) + " commits, where " + std::to_string(bounds.at_least) + " to " +
                std::to_string(bounds.at_most) + " are right"};
    if (store.fingerprint() != fingerprint_after(found)) return {"half a transaction behind " + std::to_string(found)};
    if (const int code = store.commit(found + 1); code != SQLITE_OK)
        return {"it does not go on: " + std::to_string(code)};
    if (store.fingerprint() != fingerprint_after(found + 1)) return {"what is written afterwards is not right"};
    return {"", found};
}

} // namespace clinic::crypto::tests
