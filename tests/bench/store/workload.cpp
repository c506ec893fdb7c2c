#include "tests/bench/store/workload.h"

#include <ctime>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <string_view>
#include <vector>

#include "tests/bench/arguments.h"

namespace clinic::bench::store {
namespace {

using Statement = std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>>;

constexpr std::int64_t rows_all = 200'000, rows_a_commit = 500;
constexpr std::int64_t patients = 10'000;
constexpr std::int64_t ranges = 400, rows_a_range = 1'000;
constexpr std::int64_t rows_a_page_min = 7;
constexpr std::int64_t kinds_of_tokens = 5, lookups = 20'000;
constexpr std::size_t pool_bytes = 1 << 20, body_bytes_min = 480, body_bytes_spread = 21;

// SplitMix64: the same numbers for every peer, and in every round.
std::uint64_t mixed(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}
std::int64_t below(std::uint64_t seed, std::int64_t bound) {
    return static_cast<std::int64_t>(mixed(seed) % static_cast<std::uint64_t>(bound));
}

// A piece of a pool that is made beforehand: random bytes must not cost time of what is measured.
std::string_view body_of(std::int64_t row, std::uint64_t version) {
    static const std::vector<char> pool = [] {
        std::vector<char> bytes(pool_bytes + body_bytes_min + body_bytes_spread);
        for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
            const std::uint64_t word = mixed(i);
            std::memcpy(bytes.data() + i, &word, sizeof word);
        }
        return bytes;
    }();
    const std::uint64_t chosen = mixed(static_cast<std::uint64_t>(row) << 20 | version);
    return {pool.data() + chosen % pool_bytes, body_bytes_min + (chosen >> 40) % body_bytes_spread};
}

void run(sqlite3* db, const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(sqlite3_errmsg(db));
}

Statement prepared(sqlite3* db, const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK) give_up(sqlite3_errmsg(db));
    return Statement{statement};
}

void put(const Statement& statement) {
    if (sqlite3_step(statement.get()) != SQLITE_DONE) give_up("a row is not written");
    sqlite3_reset(statement.get());
}

std::string text_of(sqlite3* db, const char* sql) {
    const Statement asked = prepared(db, sql);
    if (sqlite3_step(asked.get()) != SQLITE_ROW) give_up(sqlite3_errmsg(db));
    return reinterpret_cast<const char*>(sqlite3_column_text(asked.get(), 0));
}

void bind_body(const Statement& statement, int at, std::string_view body) {
    sqlite3_bind_blob(statement.get(), at, body.data(), static_cast<int>(body.size()), SQLITE_STATIC);
}

class Digest {
public:
    void add(std::uint64_t value) { value_ = mixed(value_ ^ value); }
    void add_part(const void* eight_bytes) {
        std::uint64_t word = 0;
        std::memcpy(&word, eight_bytes, sizeof word);
        add(word);
    }
    std::uint64_t value() const { return value_; }

private:
    std::uint64_t value_ = 0;
};

// A row's numbers and both ends of its body: enough to see that it was read, and little beside reading it.
void note_row(const Statement& row, Digest& digest) {
    digest.add(static_cast<std::uint64_t>(sqlite3_column_int64(row.get(), 0)));
    digest.add(static_cast<std::uint64_t>(sqlite3_column_int64(row.get(), 1)));
    const auto* body = static_cast<const char*>(sqlite3_column_blob(row.get(), 2));
    const int bytes = sqlite3_column_bytes(row.get(), 2);
    if (body == nullptr || bytes < 16) give_up("a row without a body was read");
    digest.add_part(body);
    digest.add_part(body + bytes - 8);
}

// Steps to the end.
std::int64_t read_all(const Statement& rows, Digest& digest) {
    std::int64_t count = 0;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
        note_row(rows, digest);
        ++count;
    }
    if (code != SQLITE_DONE) give_up("rows cannot be read");
    sqlite3_reset(rows.get());
    return count;
}

std::uint64_t digest_of_all(sqlite3* db) {
    Digest digest;
    const Statement rows = prepared(db, "SELECT id, ts, body FROM record ORDER BY id");
    if (read_all(rows, digest) != rows_all) give_up("the store does not hold what was put into it");
    const Statement index = prepared(db, "SELECT pid, ts, id FROM record INDEXED BY record_pid ORDER BY pid, ts, id");
    while (sqlite3_step(index.get()) == SQLITE_ROW) {
        for (int column = 0; column < 3; ++column)
            digest.add(static_cast<std::uint64_t>(sqlite3_column_int64(index.get(), column)));
    }
    return digest.value();
}

double processor_seconds() {
    timespec spent{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

// `work` answers how many steps it made.
template <class Work>
Figures measured(const Work& work) {
    Figures figures;
    body_of(0, 0); // the pool is made
    const double cpu = processor_seconds();
    const auto begin = std::chrono::steady_clock::now();
    figures.steps = work();
    figures.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    figures.cpu = processor_seconds() - cpu;
    return figures;
}

template <class Read>
Figures measured_reading(const Read& read) {
    Digest digest;
    Figures figures = measured([&] { return read(digest); });
    figures.digest = digest.value();
    return figures;
}

} // namespace

Db open_through(const std::string& file, const char* vfs) {
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(file.c_str(), &raw, flags, vfs);
    Db db{raw};
    if (code != SQLITE_OK) give_up(std::string{"the database does not open: "} + sqlite3_errmsg(raw));
    return db;
}

void set_up(sqlite3* db, const std::string& synchronous) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    run(db, "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA cell_size_check=ON;"
            "PRAGMA mmap_size=0; PRAGMA cache_size=-16384; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=2000");
    run(db, ("PRAGMA synchronous=" + synchronous).c_str());
    if (text_of(db, "PRAGMA journal_mode") != "wal" || text_of(db, "PRAGMA page_size") != "4096" ||
        text_of(db, "PRAGMA secure_delete") != "1" || text_of(db, "PRAGMA cache_size") != "-16384" ||
        text_of(db, "PRAGMA synchronous") != (synchronous == "FULL" ? "2" : "1"))
        give_up("the store does not take the settings that all have");
}

Figures bulk(sqlite3* db) {
    run(db,
        "CREATE TABLE record (id INTEGER PRIMARY KEY, pid INTEGER NOT NULL, ts INTEGER NOT NULL, body BLOB NOT NULL);"
        "CREATE INDEX record_pid ON record (pid, ts)");
    const Statement insert = prepared(db, "INSERT INTO record VALUES (?, ?, ?, ?)");
    Figures figures = measured([&] {
        for (std::int64_t row = 1; row <= rows_all; ++row) {
            if (row % rows_a_commit == 1) run(db, "BEGIN IMMEDIATE");
            sqlite3_bind_int64(insert.get(), 1, row);
            sqlite3_bind_int64(insert.get(), 2, below(static_cast<std::uint64_t>(row), patients));
            sqlite3_bind_int64(insert.get(), 3, 1'700'000'000 + row);
            bind_body(insert, 4, body_of(row, 0));
            put(insert);
            if (row % rows_a_commit == 0) run(db, "COMMIT");
        }
        run(db, "PRAGMA wal_checkpoint(TRUNCATE)"); // part of it: the rows are where they stay
        return rows_all;
    });
    figures.digest = digest_of_all(db);
    return figures;
}

Figures commit(sqlite3* db) {
    const bool full = text_of(db, "PRAGMA synchronous") == "2";
    const Statement change = prepared(db, "UPDATE record SET body = ? WHERE id = ?");
    Figures figures = measured([&] {
        const std::int64_t commits = full ? 2'000 : 10'000;
        for (std::int64_t i = 0; i < commits; ++i) {
            const auto version = static_cast<std::uint64_t>(i + 1);
            const std::int64_t row = 1 + below(version << 32, rows_all);
            bind_body(change, 1, body_of(row, version));
            sqlite3_bind_int64(change.get(), 2, row);
            put(change);
        }
        return commits;
    });
    figures.digest = digest_of_all(db);
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    return figures;
}

Figures point(sqlite3* db, std::int64_t count) {
    const Statement row = prepared(db, "SELECT id, ts, body FROM record WHERE id = ?");
    return measured_reading([&](Digest& digest) {
        std::int64_t read = 0;
        for (std::int64_t i = 0; i < count; ++i) {
            sqlite3_bind_int64(row.get(), 1, 1 + below(static_cast<std::uint64_t>(i) << 24, rows_all));
            read += read_all(row, digest);
        }
        return read;
    });
}

Figures range(sqlite3* db) {
    const Statement rows = prepared(db, "SELECT id, ts, body FROM record WHERE id BETWEEN ? AND ?");
    return measured_reading([&](Digest& digest) {
        std::int64_t read = 0;
        for (std::int64_t i = 0; i < ranges; ++i) {
            const std::int64_t first = 1 + below(static_cast<std::uint64_t>(i) << 40, rows_all - rows_a_range);
            sqlite3_bind_int64(rows.get(), 1, first);
            sqlite3_bind_int64(rows.get(), 2, first + rows_a_range - 1);
            read += read_all(rows, digest);
        }
        return read;
    });
}

Figures scan(sqlite3* db) {
    const Statement rows = prepared(db, "SELECT id, ts, body FROM record");
    return measured_reading([&](Digest& digest) { return read_all(rows, digest); });
}

Figures lookup(sqlite3* db, std::int64_t patients) {
    run(db, "CREATE TABLE token (kind INTEGER NOT NULL, token BLOB NOT NULL, patient BLOB NOT NULL,"
            " PRIMARY KEY (kind, token, patient)) WITHOUT ROWID; BEGIN IMMEDIATE");
    const auto token_of = [](std::int64_t kind, std::int64_t patient) {
        const auto number = static_cast<std::uint64_t>(patient) << 8 | static_cast<std::uint64_t>(kind);
        return std::array{mixed(number), mixed(~number)};
    };
    const auto bind_token = [&](const Statement& to, std::int64_t kind, const std::array<std::uint64_t, 2>& token) {
        sqlite3_bind_int64(to.get(), 1, kind);
        sqlite3_bind_blob(to.get(), 2, token.data(), sizeof token, SQLITE_TRANSIENT);
    };
    const Statement insert = prepared(db, "INSERT INTO token VALUES (?, ?, ?)");
    for (std::int64_t kind = 0; kind < kinds_of_tokens; ++kind) {
        std::vector<std::array<std::uint64_t, 2>> tokens;
        for (std::int64_t patient = 0; patient < patients; ++patient) tokens.push_back(token_of(kind, patient));
        std::ranges::sort(tokens, [](const auto& a, const auto& b) { return std::memcmp(&a, &b, sizeof a) < 0; });
        for (const auto& token : tokens) {
            bind_token(insert, kind, token);
            sqlite3_bind_blob(insert.get(), 3, token.data(), sizeof token, SQLITE_TRANSIENT);
            put(insert);
        }
    }
    run(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
    const Statement find = prepared(db, "SELECT patient FROM token WHERE kind = ? AND token = ?");
    const auto find_some = [&](std::uint64_t seed) {
        for (std::int64_t i = 0; i < lookups; ++i) {
            const auto chance = mixed(seed + static_cast<std::uint64_t>(i));
            const auto kind = static_cast<std::int64_t>(chance % kinds_of_tokens);
            bind_token(find, kind, token_of(kind, below(chance, patients)));
            if (sqlite3_step(find.get()) != SQLITE_ROW) give_up("a patient is not found");
            sqlite3_reset(find.get());
        }
        return lookups;
    };
    find_some(1); // what is asked often is at hand
    return measured([&] { return find_some(std::uint64_t{1} << 40); });
}

void write_again(sqlite3* db, std::int64_t part, std::int64_t parts) {
    const Statement change = prepared(db, "UPDATE record SET body = ? WHERE id = ?");
    const auto change_to = [&](std::int64_t row, std::string_view body) {
        bind_body(change, 1, body);
        sqlite3_bind_int64(change.get(), 2, row);
        put(change);
    };
    run(db, "BEGIN IMMEDIATE");
    for (std::int64_t row = 1; row <= rows_all; row += rows_a_page_min) {
        if (below(static_cast<std::uint64_t>(row) << 16, parts) != part) continue;
        const std::string_view body = body_of(row, 0);
        std::string other{body}; // SQLite writes no page whose bytes stay the same
        other.back() = static_cast<char>(other.back() ^ 1);
        change_to(row, other);
        change_to(row, body);
    }
    run(db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
}

} // namespace clinic::bench::store
