#include "tests/crypto/random_sql.h"

#include <array>
#include <cassert>
#include <vector>

namespace clinic::crypto::tests {
namespace {

constexpr int noise_bytes_max = 200'000;

void noise(sqlite3_context* context, int, sqlite3_value** arguments) {
    const int size = sqlite3_value_int(arguments[0]);
    auto state = static_cast<std::uint64_t>(sqlite3_value_int64(arguments[1]));
    if (size < 0 || size > noise_bytes_max) return sqlite3_result_error_toobig(context);
    std::vector<unsigned char> bytes(static_cast<std::size_t>(size));
    for (auto& byte : bytes) {
        state = state * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
        byte = static_cast<unsigned char>(state >> 56U);
    }
    sqlite3_result_blob(context, bytes.data(), size, SQLITE_TRANSIENT);
}

} // namespace

void prepare(sqlite3* connection) {
    const int rc = sqlite3_create_function(connection, "noise", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, noise,
                                           nullptr, nullptr);
    assert(rc == SQLITE_OK);
    sqlite3_busy_timeout(connection, 0);
}

std::string RandomSql::pick(std::initializer_list<const char*> from) {
    return *(from.begin() + below(from.size()));
}

// Around what fits on a page and what does not, up to many pages.
std::string RandomSql::blob() {
    static constexpr std::array<std::size_t, 7> sizes{20, 200, 900, 4'000, 4'200, 12'000, 60'000};
    const std::size_t most = sizes[below(below(4) == 0 ? sizes.size() : 4)];
    return "noise(" + std::to_string(below(most)) + ',' + number() + ')';
}

std::string RandomSql::value() {
    switch (below(7)) {
    case 0: return "NULL";
    case 1: return std::to_string(below(200));
    case 2: return '-' + std::to_string(below(std::size_t{1} << (8 * (1 + below(7)))));
    case 3: return std::to_string(below(1'000'000)) + '.' + std::to_string(below(1'000));
    case 4: return "'word " + number() + '\'';
    case 5: return "hex(" + blob() + ')';
    default: return blob();
    }
}

std::string RandomSql::where() {
    const std::string from = std::to_string(below(400)), many = std::to_string(1 + below(120));
    return pick({" WHERE id BETWEEN ", " WHERE id%37+id/37 BETWEEN "}) + from + " AND " + from + '+' + many;
}

std::string RandomSql::insert() {
    const std::string into = pick({"INSERT INTO ", "INSERT OR REPLACE INTO ", "INSERT OR IGNORE INTO "}) + table();
    switch (below(4)) {
    case 0:
        return into + "(id,a,b,c) VALUES(" + std::to_string(below(500)) + ',' + value() + ',' + value() + ',' + blob() +
               ')';
    case 1: return "INSERT OR REPLACE INTO w VALUES('key " + std::to_string(below(60)) + "'," + value() + ')';
    default:
        return into + "(a,b,c) WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<" +
               std::to_string(1 + below(60)) + ") SELECT x*" + number() + "%1000, 'word '||x, noise(x*" +
               std::to_string(1 + below(90)) + "%5000, x+" + number() + ") FROM n";
    }
}

std::string RandomSql::change() {
    switch (below(6)) {
    case 0: return "DELETE FROM " + table() + where();
    case 1: return "UPDATE " + table() + " SET c=noise(length(c)*" + std::to_string(1 + below(3)) + "/2,id)" + where();
    case 2: return "UPDATE " + table() + " SET a=" + value() + ",b=" + value() + where();
    case 3: return "UPDATE OR IGNORE " + table() + " SET id=id+" + std::to_string(below(90)) + where();
    case 4: return "DELETE FROM w WHERE k LIKE '%" + std::to_string(below(10)) + '\'';
    default: return below(8) == 0 ? "DELETE FROM " + table() : "UPDATE w SET v=" + value();
    }
}

std::string RandomSql::schema() {
    const std::string on = table(), index = "i" + std::to_string(below(6));
    switch (below(6)) {
    case 0: return "CREATE INDEX " + index + " ON " + on + pick({"(a)", "(b,a)", "(substr(c,1,40))", "(length(c),a)"});
    case 1: return "DROP INDEX " + index;
    case 2: return "CREATE TABLE " + on + "(id INTEGER PRIMARY KEY, a, b, c BLOB)";
    case 3: return below(3) == 0 ? "DROP TABLE " + on : "REINDEX";
    case 4: return "ALTER TABLE " + on + " ADD COLUMN d" + number() + " DEFAULT " + std::to_string(below(9));
    default: return "CREATE TABLE e" + number() + " AS SELECT * FROM " + on + where();
    }
}

std::string RandomSql::transaction() {
    if (!begun_) {
        begun_ = true;
        return pick({"BEGIN", "BEGIN IMMEDIATE"});
    }
    switch (below(7)) {
    case 0: begun_ = false; return "COMMIT";
    case 1: begun_ = false; return "ROLLBACK";
    case 2:
    case 3: return "SAVEPOINT s" + std::to_string(below(3));
    case 4: return "RELEASE s" + std::to_string(below(3));
    default: return "ROLLBACK TO s" + std::to_string(below(3));
    }
}

std::string RandomSql::query() {
    switch (below(6)) {
    case 0: return "SELECT * FROM " + table() + where() + " ORDER BY b, id";
    case 1: return "SELECT count(*), sum(length(c)), max(a), min(b) FROM " + table();
    case 2: return "SELECT * FROM w ORDER BY k DESC";
    case 3: return "SELECT a, count(*), group_concat(length(c)) FROM " + table() + " GROUP BY a";
    case 4: return "SELECT type, name, rootpage, sql FROM sqlite_schema ORDER BY name";
    default:
        return "SELECT x.id, y.id FROM " + table() + " x JOIN " + table() + " y ON x.a=y.a" +
               " ORDER BY 1, 2 LIMIT 400";
    }
}

std::string RandomSql::upkeep() {
    switch (below(5)) {
    case 0: return "PRAGMA cache_size=" + std::to_string(1 + below(20));
    case 1: return "VACUUM";
    case 2: return "PRAGMA integrity_check";
    default: return "PRAGMA wal_checkpoint(" + pick({"PASSIVE", "FULL", "RESTART", "TRUNCATE"}) + ')';
    }
}

RandomStep RandomSql::next() {
    using Kind = RandomStep::Kind;
    if (number_ == 1) {
        number_ = 2;
        return {Kind::run,
                "CREATE TABLE t0(id INTEGER PRIMARY KEY, a, b, c BLOB); CREATE TABLE t1(id INTEGER PRIMARY KEY,"
                " a, b, c BLOB); CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE INDEX i0 ON t0(a)"};
    }
    const std::size_t what = below(100);
    if (what < 30) return {Kind::run, insert()};
    if (what < 50) return {Kind::run, change()};
    if (what < 57) return {Kind::run, schema()};
    if (what < 70) return {Kind::run, transaction()};
    if (what < 78) return {Kind::run, query()};
    if (what < 83) return {Kind::read, pick({"BEGIN", "COMMIT"})};
    if (what < 88) return {Kind::read, query()};
    if (what < 97) return {Kind::run, upkeep()};
    if (what == 97) return {Kind::crash};
    if (what == 98) begun_ = false;
    return {what == 98 ? Kind::reopen : Kind::crash};
}

} // namespace clinic::crypto::tests
