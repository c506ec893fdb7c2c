#include "tests/crypto/tamper_fixture.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

namespace clinic::crypto::tests {

namespace fs = std::filesystem;

namespace {

constexpr const char* schema =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB, word TEXT); CREATE INDEX i ON t(word)";

// All that the table holds, by itself and by its index.
constexpr std::array both_ways{"SELECT * FROM t NOT INDEXED ORDER BY id",
                               "SELECT word, id FROM t INDEXED BY i ORDER BY word, id"};

void fill(const SealedVfs& vfs, const fs::path& database) {
    Connection db{vfs, database};
    ASSERT_EQ(db.run(schema), SQLITE_OK);
    ASSERT_EQ(db.run(insert(300)), SQLITE_OK);
    ASSERT_EQ(db.run("INSERT INTO t(body,word) SELECT randomblob(9000), 'long-'||id FROM t LIMIT 10"), SQLITE_OK);
}

} // namespace

Bytes piece_of(const fs::path& path, std::uint64_t at, std::size_t size) {
    std::ifstream file{path, std::ios::binary};
    Bytes bytes(size);
    file.seekg(static_cast<std::streamoff>(at));
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    EXPECT_EQ(file.gcount(), static_cast<std::streamsize>(size)) << path << " ends before " << at + size;
    return bytes;
}

void put_piece(const fs::path& path, std::uint64_t at, std::span<const std::byte> bytes) {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekp(static_cast<std::streamoff>(at));
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    EXPECT_TRUE(file.flush()) << path;
}

Patch::Patch(fs::path path, std::uint64_t at, std::span<const std::byte> bytes)
    : path_{std::move(path)}, at_{at}, before_{piece_of(path_, at, bytes.size())} {
    put_piece(path_, at_, bytes);
}

Patch::~Patch() {
    put_piece(path_, at_, before_);
}

Bytes flipped(const fs::path& path, std::uint64_t at, std::uint64_t round) {
    Bytes byte = piece_of(path, at, 1);
    byte[0] ^= std::byte{1} << (round % 8);
    return byte;
}

std::vector<std::uint64_t> telling_offsets(std::size_t plain_bytes, std::uint64_t round) {
    const std::uint64_t nonce = plain_bytes;
    const std::uint64_t tag = plain_bytes + nonce_bytes;
    return {0,     1 + round * 37 % (plain_bytes - 2),    plain_bytes - 1,
            nonce, nonce + 1 + round % (nonce_bytes - 2), tag - 1,
            tag,   tag + 1 + round % (tag_bytes - 2),     tag + tag_bytes - 1};
}

std::string io_error() {
    return "error " + std::to_string(SQLITE_IOERR_DATA);
}
std::string not_a_database() {
    return "error " + std::to_string(SQLITE_NOTADB);
}
std::string opening(Errc code) {
    return std::string{"opening "} + base::name(code);
}

void Tamper::SetUp() {
    parts_.cipher = GetParam();
    lay_out_store(database_, parts_, store_key_);
    {
        auto vfs = open(key_slot(), IfAbsent::fail);
        ASSERT_TRUE(vfs);
        fill(**vfs, database_);
    }
    whole_ = contents(database_);
    const Seen seen = look();
    ASSERT_EQ(seen.error, "");
    truth_ = seen.rows;
    ASSERT_EQ(truth_.size(), 620U); // by table and by index
    ASSERT_GT(pages(), 70U);
    cases_ = 0;
}

void Tamper::TearDown() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::printf("tamper %s: %llu cases\n", test->name(), static_cast<unsigned long long>(cases_));
}

void Tamper::restore() {
    put_contents(database_, whole_);
    fs::remove(wal_);
}

Seen Tamper::look() {
    ++cases_;
    Seen seen;
    auto vfs = open(key_slot(), IfAbsent::fail);
    if (!vfs) return {.error = opening(vfs.error().code)};
    Connection db{**vfs, database_};
    if (!db.is_open()) return {.error = "error " + std::to_string(db.open_code())};
    db.run("PRAGMA synchronous=OFF"); // what a look leaves behind need not last
    for (const char* sql : both_ways) {
        const Rows part = db.rows(sql);
        seen.rows.insert(seen.rows.end(), part.rows.begin(), part.rows.end());
        if (part.code != SQLITE_DONE) {
            seen.error = "error " + std::to_string(part.code);
            break;
        }
    }
    if (seen.error.empty())
        if (const std::string check = db.text("PRAGMA integrity_check"); check != "ok") seen.error = "check " + check;
    seen.failures = (*vfs)->authentication_failures();
    return seen;
}

bool Tamper::is_true_so_far(const Seen& seen, const std::vector<std::string>& state) const {
    return seen.rows.size() <= state.size() && std::ranges::equal(seen.rows, std::span{state}.first(seen.rows.size()));
}

void Tamper::noticed(const std::string& what, const std::string& error) {
    const Seen seen = look();
    if (error.empty())
        EXPECT_NE(seen.error, "") << what << ": not noticed";
    else
        EXPECT_EQ(seen.error, error) << what;
    EXPECT_TRUE(is_true_so_far(seen, truth_)) << what << ": other data";
}

void Tamper::noticed_io_error(std::uint64_t page, const std::string& what) {
    noticed("page " + std::to_string(page) + ' ' + what, page == 1 ? not_a_database() : io_error());
}

void Tamper::not_harmed(const std::string& what) {
    const Seen seen = look();
    EXPECT_EQ(seen.error, "") << what;
    EXPECT_TRUE(seen.is(truth_)) << what << ": other data";
}

fs::path Tamper::other_store(const char* name, const Superblock& parts, const SecureBytes& key) {
    const auto folder = folder_ / name;
    fs::create_directory(folder);
    const auto database = folder / "records.db";
    lay_out_store(database, parts, key);
    auto vfs = SealedVfs::open(database, key_slot(), IfAbsent::fail);
    EXPECT_TRUE(vfs);
    if (vfs) fill(**vfs, database);
    return database;
}

void WalTamper::SetUp() {
    Tamper::SetUp();
    {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        for (int i = 0; i < 10; ++i)
            commit(db, "UPDATE t SET body=randomblob(600) WHERE id BETWEEN " + std::to_string(i * 10) + " AND " +
                           std::to_string(i * 10 + 9));
        crash();
    }
    restore_crash();
    ASSERT_GT(frames(), 20U);
    ASSERT_EQ(frames(), frames_in(wal_whole_.size()));
}

void WalTamper::commit(Connection& db, const std::string& sql) {
    const auto note_end = [](void* end, sqlite3*, const char*, int frames_now) {
        *static_cast<std::uint64_t*>(end) = static_cast<std::uint64_t>(frames_now);
        return SQLITE_OK;
    };
    std::uint64_t end = 0;
    sqlite3_wal_hook(db.get(), note_end, &end);
    ASSERT_EQ(db.run(sql), SQLITE_OK);
    sqlite3_wal_hook(db.get(), nullptr, nullptr);
    ends_.push_back(end);
    auto& state = states_.emplace_back();
    for (const char* part : both_ways) {
        const auto rows = db.rows(part).rows;
        state.insert(state.end(), rows.begin(), rows.end());
    }
}

void WalTamper::crash() {
    const auto crashed = folder_ / "crashed";
    copy_folder(folder_.path(), crashed);
    crashed_whole_ = contents(crashed / "records.db");
    wal_whole_ = contents(crashed / "records.db-wal");
}

void WalTamper::restore_crash() {
    put_contents(database_, crashed_whole_);
    put_contents(wal_, wal_whole_);
}

std::uint64_t WalTamper::commit_of(std::uint64_t frame) const {
    return static_cast<std::uint64_t>(std::ranges::lower_bound(ends_, frame) - ends_.begin());
}

void WalTamper::frame_noticed(std::uint64_t frame, const std::string& what, bool counted) {
    const std::string where = "frame " + std::to_string(frame) + ' ' + what;
    const Seen seen = look();
    if (commit_of(frame) + 1 < states_.size()) {
        EXPECT_EQ(seen.error, opening(Errc::tampered)) << where;
    } else if (seen.error.empty()) {
        EXPECT_TRUE(seen.is(states_[states_.size() - 2])) << where << ": other data";
        EXPECT_EQ(seen.failures > 0, counted) << where << ": lost without a word";
    } else {
        EXPECT_EQ(seen.error, opening(Errc::tampered)) << where;
    }
    restore_crash();
}

void WalTamper::wal_noticed(const std::string& what, Errc error) {
    EXPECT_EQ(look().error, opening(error)) << what;
    restore_crash();
}

} // namespace clinic::crypto::tests
