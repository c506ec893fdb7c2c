// Everything that SQLite writes or opens below the sealed VFS, searched for what was put into the store: no byte of it
// may be there. The same search over plain `unix-excl` must find it, in every file that SQLite makes.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "crypto/octets.h"
#include "tests/crypto/store_fixture.h"
#include "tests/crypto/watched_disk.h"
#include "tests/support/campaign.h"
#include "tests/support/canary.h"
#include "tests/support/mutation.h"

namespace clinic::crypto::tests {
namespace {

namespace fs = std::filesystem;

// Words, a number and an amount that stand for what is in a store, and the search for them.
class Markers {
public:
    explicit Markers(std::uint64_t seed) : random_{seed, ""} {
        for (auto* word : {&name, &note, &table}) *word = make_word();
        number = static_cast<std::int64_t>(below_2_to_62() | std::uint64_t{1} << 62U);
        amount = static_cast<double>(below_2_to_62()) / 3.0;
        search_.emplace(std::vector<std::string>{name, note, table, "SQLite format 3", "CREATE TABLE"});
        add_raw("number", static_cast<std::uint64_t>(number));
        std::uint64_t bits = 0;
        std::memcpy(&bits, &amount, sizeof bits);
        add_raw("amount", bits);
    }

    // What is in the bytes: "name, hexadecimal" and so on.
    std::set<std::string> in(std::span<const std::byte> bytes) const {
        std::set<std::string> found;
        const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
        for (const auto& hit : search_->in(text)) found.insert(called(hit.canary) + ", " + hit.form);
        for (const auto& [what, pattern] : raw_)
            if (text.find(pattern) != std::string_view::npos) found.insert(what);
        return found;
    }

    std::string name, note, table; // 16 letters each
    std::int64_t number = 0;
    double amount = 0;

private:
    std::uint64_t below_2_to_62() { return std::uint64_t{random_.below(1U << 31U)} << 31U | random_.below(1U << 31U); }
    std::string make_word() {
        std::string word(16, ' ');
        for (char& letter : word) letter = static_cast<char>('a' + random_.below(26));
        return word;
    }
    void add_raw(const char* what, std::uint64_t value) {
        std::array<std::byte, sizeof value> big{};
        put_number(std::span{big}, value);
        const auto* bytes = reinterpret_cast<const char*>(big.data());
        raw_[std::string{what} + ", big-endian"] = {bytes, big.size()};
        raw_[std::string{what} + ", little-endian"] = {std::reverse_iterator{bytes + big.size()},
                                                       std::reverse_iterator{bytes}};
    }
    std::string called(const std::string& word) const {
        return word == name ? "name" : word == note ? "note" : word == table ? "table" : word;
    }

    support::Mutator random_;
    std::optional<support::Search> search_;
    std::map<std::string, std::string> raw_;
};

Bytes all_of(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto bytes = base::as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

// Whatever comes by, searched.
class Scan {
public:
    explicit Scan(const Markers& markers, fs::path folder) : markers_{markers}, folder_{std::move(folder)} {}

    DiskWatch watch() {
        return {.opened = [this](const std::string& file) { opened.insert(file); },
                .wrote =
                    [this](const std::string& file, std::int64_t, std::span<const std::byte> part) {
                        ++writes;
                        look(file, part);
                    },
                .shared = [this](const std::string&, std::span<const std::byte> part) { shared_ = part; }};
    }
    // Every file of the folder, the shared index, and what this process has open without a name.
    void look_at_files() {
        for (const auto& entry : fs::directory_iterator{folder_})
            look(entry.path().filename().string(), all_of(entry.path()));
        look("index", shared_);
        for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
            std::error_code gone;
            const std::string target = fs::read_symlink(entry.path(), gone).string();
            if (gone || target.find(" (deleted)") == std::string::npos) continue;
            struct stat about {};
            if (stat(entry.path().c_str(), &about) != 0 || !S_ISREG(about.st_mode)) continue;
            opened.insert("temporary");
            look("temporary", all_of(entry.path()));
        }
    }
    void forget_index() { shared_ = {}; }

    std::set<std::string> opened;
    std::map<std::string, std::set<std::string>> found; // by file
    std::uint64_t writes = 0, bytes = 0;

private:
    void look(const std::string& file, std::span<const std::byte> part) {
        bytes += part.size();
        const auto here = markers_.in(part);
        if (!here.empty()) found[file].insert(here.begin(), here.end());
    }

    const Markers& markers_;
    const fs::path folder_;
    std::span<const std::byte> shared_;
};

std::string text_of(double value) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.17g", value);
    return text.data();
}

struct Step {
    const char* what;
    std::string sql;
};

// NAME, NOTE, TABLE, NUMBER and AMOUNT are the markers.
std::vector<Step> steps(const Markers& markers) {
    std::vector<Step> all{
        {"insert", "CREATE TABLE TABLE_t(id INTEGER PRIMARY KEY, name TEXT, note TEXT, number INTEGER, amount REAL,"
                   " raw BLOB, code TEXT);"
                   "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<100)"
                   " INSERT INTO TABLE_t SELECT x, 'NAME'||(x*7919%100), 'NOTE'||printf('%0*d', x*12, x), NUMBER,"
                   " AMOUNT, CAST('NAME' AS BLOB)||randomblob(x%50), hex('NOTE'||x) FROM n"},
        {"index build", "CREATE INDEX TABLE_i ON TABLE_t(name, number); CREATE INDEX j ON TABLE_t(note||name)"},
        {"sort", "SELECT * FROM TABLE_t ORDER BY note||name DESC, amount"},
        {"group by", "SELECT note||name AS k, count(*), group_concat(code) FROM TABLE_t GROUP BY k"},
        {"distinct", "SELECT DISTINCT note||raw FROM TABLE_t"},
        {"compound",
         "SELECT note||id FROM TABLE_t UNION SELECT name||note FROM TABLE_t EXCEPT SELECT code FROM TABLE_t"},
        {"recursive", "WITH RECURSIVE r(x, t) AS (SELECT 1, 'NOTE' UNION SELECT x+1, 'NOTE'||x||zeroblob(300) FROM r"
                      " WHERE x<100 ORDER BY 2 DESC) SELECT count(DISTINCT t) FROM r"},
        {"window", "SELECT name, lag(note, 3) OVER (PARTITION BY id%7 ORDER BY code) FROM TABLE_t"},
        {"join",
         "SELECT count(*) FROM (SELECT code AS c FROM TABLE_t) a JOIN (SELECT code AS c FROM TABLE_t) b ON a.c=b.c"
         " WHERE a.c IN (SELECT code FROM TABLE_t ORDER BY raw)"},
        {"table from a query", "CREATE TABLE TABLE_q AS SELECT * FROM TABLE_t ORDER BY note"},
        {"temporary table", "CREATE TEMP TABLE x AS SELECT * FROM TABLE_t; CREATE INDEX temp.y ON x(note, name);"
                            "UPDATE x SET note=name||note; DELETE FROM x WHERE id%2"},
        {"spill",
         "BEGIN; UPDATE TABLE_t SET note='NOTE'||note; UPDATE TABLE_t SET raw=CAST('NAME' AS BLOB)||raw; COMMIT"},
        {"savepoints",
         "BEGIN; SAVEPOINT a; UPDATE TABLE_t SET note='NOTE'||id; SAVEPOINT b; DELETE FROM TABLE_t WHERE id%3;"
         "INSERT INTO TABLE_q SELECT * FROM TABLE_t; ROLLBACK TO b; UPDATE TABLE_t SET code=note||code;"
         "ROLLBACK TO a; RELEASE a; COMMIT"},
        {"rollback", "BEGIN; UPDATE TABLE_t SET name='NAME'||randomblob(300); DELETE FROM TABLE_q; ROLLBACK"},
        {"statement that fails",
         "CREATE TEMP TABLE one(u UNIQUE); INSERT INTO one SELECT DISTINCT note FROM TABLE_t;"
         "UPDATE OR IGNORE one SET u='NOTE'; INSERT OR REPLACE INTO one SELECT note FROM TABLE_t"},
        {"view and trigger",
         "CREATE VIEW TABLE_v AS SELECT 'NAME'||name AS n FROM TABLE_t; CREATE TRIGGER TABLE_r AFTER"
         " UPDATE ON TABLE_q BEGIN INSERT INTO TABLE_t(name, note) VALUES(new.name, 'NOTE'); END;"
         "UPDATE TABLE_q SET note='NOTE'||note WHERE id<99; SELECT n FROM TABLE_v ORDER BY 1"},
        {"alter table",
         "ALTER TABLE TABLE_q ADD COLUMN NAME_c TEXT DEFAULT 'NOTE'; ALTER TABLE TABLE_q rename COLUMN code TO"
         " NOTE_d; ALTER TABLE TABLE_q DROP COLUMN raw; ALTER TABLE TABLE_q rename TO TABLE_z"},
        {"full text", "CREATE VIRTUAL TABLE TABLE_f USING fts5(name, note); INSERT INTO TABLE_f SELECT name, note FROM"
                      " TABLE_t; INSERT INTO TABLE_f(TABLE_f) VALUES('optimize')"},
        {"upsert", "INSERT INTO TABLE_t(id, note) SELECT id, note FROM TABLE_z WHERE true ON CONFLICT(id) DO UPDATE SET"
                   " note=excluded.note||'NOTE'"},
        {"analyze", "ANALYZE; REINDEX"},
        {"another database", "ATTACH ':memory:' AS m; CREATE TABLE m.c AS SELECT * FROM TABLE_t; DETACH m"},
        {"unnamed database", "ATTACH '' AS u; CREATE TABLE u.c AS SELECT * FROM TABLE_t; DROP TABLE u.c"},
        {"checkpoints", "PRAGMA wal_checkpoint(PASSIVE); PRAGMA wal_checkpoint(RESTART)"},
        {"delete", "DELETE FROM TABLE_t WHERE id%2; DROP TABLE TABLE_z"},
        {"vacuum", "VACUUM"},
        {"checks", "PRAGMA integrity_check; PRAGMA foreign_key_check; PRAGMA quick_check"},
        {"truncate", "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize"},
    };
    for (auto& step : all)
        for (const auto& [word, value] : {std::pair<std::string, std::string>{"NAME", markers.name},
                                          {"NOTE", markers.note},
                                          {"TABLE_", markers.table},
                                          {"NUMBER", std::to_string(markers.number)},
                                          {"AMOUNT", text_of(markers.amount)}})
            for (auto at = step.sql.find(word); at != std::string::npos; at = step.sql.find(word, at))
                step.sql.replace(at, word.size(), value);
    return all;
}

struct Settings {
    std::string encoding, temp_store;
    int cache_pages = 5;
};

// What each step came to. The files are searched after some, while the connection is open.
std::map<std::string, int> work(Connection& db, const Markers& markers, const Settings& settings, Scan& scan) {
    std::map<std::string, int> codes;
    db.run("PRAGMA encoding='" + settings.encoding + "'; PRAGMA temp_store=" + settings.temp_store +
           "; PRAGMA cache_size=" + std::to_string(settings.cache_pages) + "; PRAGMA synchronous=OFF");
    for (const auto& step : steps(markers)) {
        codes[step.what] = db.run(step.sql);
        if (sqlite3_get_autocommit(db.get()) == 0) db.run("ROLLBACK");
        if (codes.size() % 6 == 0) scan.look_at_files();
    }
    scan.forget_index();
    return codes;
}

Settings settings_of(std::uint64_t seed) {
    static constexpr std::array encodings{"UTF-8", "UTF-16le", "UTF-16be"};
    return {.encoding = encodings[seed % 3],
            .temp_store = seed % 2 == 0 ? "FILE" : "MEMORY",
            .cache_pages = static_cast<int>(2 + seed % 5)};
}

class MarkerScan : public StoreTest, public testing::WithParamInterface<CipherId> {
    void SetUp() override { cipher_ = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Each, MarkerScan, every_cipher, cipher_name);

// In memory all of it works; into files nothing may go, so what would need one is refused.
TEST_P(MarkerScan, FindsNothingOfTheStoreInAnyWriteOrFile) {
    std::uint64_t writes = 0, bytes = 0;
    support::Campaign campaign{{.name = std::string{"marker_scan_"} + (GetParam() == CipherId::aes256_gcm ? "b" : "a"),
                                .what = "workloads",
                                .plain = 3,
                                .most = 3'000}};
    while (const auto seed = campaign.next()) {
        const Markers markers{*seed};
        const Settings settings = settings_of(*seed);
        fs::remove(database_);
        Scan scan{markers, folder_.path()};
        const WatchedDisk disk{scan.watch()};
        auto vfs = open();
        ASSERT_TRUE(vfs);
        {
            Connection db{**vfs, database_};
            for (const auto& [step, code] : work(db, markers, settings, scan))
                EXPECT_TRUE(code == SQLITE_OK || (settings.temp_store == "FILE" && code == SQLITE_CANTOPEN))
                    << step << ' ' << code;
            EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok");
            EXPECT_EQ(db.text("PRAGMA encoding"), settings.encoding);
            scan.look_at_files();
            scan.forget_index();
        }
        for (const auto& [file, what] : scan.found)
            for (const auto& one : what) ADD_FAILURE() << file << " holds " << one;
        EXPECT_EQ(scan.opened, (std::set<std::string>{"records.db", "records.db-wal"}));
        EXPECT_GT(scan.writes, 300U);
        writes += scan.writes;
        bytes += scan.bytes;
        vfs->reset();
    }
    std::printf("marker scan: %llu writes, %llu bytes searched\n", static_cast<unsigned long long>(writes),
                static_cast<unsigned long long>(bytes));
}

class PlainScan : public StoreTest, public testing::WithParamInterface<std::tuple<const char*, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Each, PlainScan,
                         testing::Combine(testing::Values("UTF-8", "UTF-16le", "UTF-16be"),
                                          testing::Values("WAL", "DELETE")));

// The control: the same work without the seal.
TEST_P(PlainScan, FindsAllOfItWithoutTheSeal) {
    const auto [encoding, journal] = GetParam();
    const Markers markers{7};
    Scan scan{markers, folder_.path()};
    const WatchedDisk disk{scan.watch()};
    {
        Connection db{"unix-excl", database_};
        db.run(std::string{"PRAGMA encoding='"} + encoding + "'; PRAGMA journal_mode=" + journal);
        for (const auto& [step, code] : work(db, markers, {encoding, "FILE", 5}, scan))
            EXPECT_EQ(code, SQLITE_OK) << step;
    }
    const std::string form = encoding == std::string{"UTF-8"}      ? "plain"
                             : encoding == std::string{"UTF-16le"} ? "UTF-16, little end first"
                                                                   : "UTF-16, big end first";
    const std::string log = journal == std::string{"WAL"} ? "records.db-wal" : "records.db-journal";
    for (const std::string& file : {std::string{"records.db"}, log, std::string{"temporary"}}) {
        EXPECT_TRUE(scan.opened.contains(file)) << file;
        for (const auto& what : {"name, " + form, "note, " + form, std::string{"number, big-endian"}})
            EXPECT_TRUE(scan.found[file].contains(what)) << file << ": " << what;
    }
    for (const auto& what : {"table, " + form, "CREATE TABLE, " + form, std::string{"SQLite format 3, plain"},
                             std::string{"amount, big-endian"}})
        EXPECT_TRUE(scan.found["records.db"].contains(what)) << what;
    if (form == "plain") {
        EXPECT_TRUE(scan.found["records.db"].contains("note, hexadecimal"));
    }
}

} // namespace
} // namespace clinic::crypto::tests
