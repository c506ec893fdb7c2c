#include "tests/crypto/store_fixture.h"

#include <algorithm>

#include "crypto/connection.h"
#include "crypto/first_page.h"

namespace clinic::crypto::tests {

namespace fs = std::filesystem;

KeySlot key_slot(unsigned char fill) {
    return KeySlot::from_key(key_of(fill));
}

SecureBytes key_of(unsigned char fill) {
    SecureBytes key = SecureBytes::zeroed(key_bytes);
    std::ranges::fill(key.bytes(), std::byte{fill});
    return key;
}

std::string cipher_name(const testing::TestParamInfo<CipherId>& cipher) {
    return cipher.param == CipherId::aes256_gcm ? "Aes256Gcm" : "XChaCha20Poly1305";
}

void lay_out_store(const fs::path& database, const Superblock& superblock, const SecureBytes& store_key,
                   const KeySlot& slot) {
    Bytes file(main_head_bytes + page_bytes);
    const std::span<std::byte> bytes{file};
    Superblock second = superblock;
    ++second.sequence;
    std::ranges::copy(make_superblock(superblock, store_key, slot.key()), bytes.begin());
    std::ranges::copy(make_superblock(second, store_key, slot.key()), bytes.subspan(superblock_bytes).begin());
    const PageCipher cipher{superblock.cipher, store_key, superblock.epoch, superblock.store};
    const Page page = empty_first_page();
    cipher.seal({Piece::page, 1}, std::span{page}.first(page_plain_bytes), bytes.subspan(main_head_bytes));
    put_contents(database, file);
}

namespace {

void add_column(std::string& row, sqlite3_stmt* statement, int column) {
    const int type = sqlite3_column_type(statement, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    row += std::to_string(type) + ':' + std::to_string(size) + ':';
    if (size != 0) row.append(static_cast<const char*>(sqlite3_column_blob(statement, column)), size);
}

} // namespace

Connection::Connection(const char* vfs, const fs::path& database) {
    sqlite3* raw = nullptr;
    code_ = sqlite3_open_v2(database.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs);
    db_.reset(raw);
    if (code_ != SQLITE_OK) return;
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, 10'000);
    EXPECT_TRUE(set_page_reserve(raw));
    EXPECT_EQ(run("PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0"), SQLITE_OK);
}

int Connection::run(const std::string& sql) {
    return sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
}

std::string Connection::text(const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    int rc = sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &raw, nullptr);
    const std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>> statement{raw};
    if (rc == SQLITE_OK) rc = sqlite3_step(raw);
    if (rc == SQLITE_DONE) return "";
    if (rc != SQLITE_ROW) return "error " + std::to_string(rc);
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
    return text == nullptr ? "NULL" : text;
}

Rows Connection::rows(const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    Rows all;
    all.code = sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &raw, nullptr);
    const std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>> statement{raw};
    if (all.code != SQLITE_OK) return all;
    while ((all.code = sqlite3_step(raw)) == SQLITE_ROW) {
        std::string row;
        for (int column = 0; column < sqlite3_column_count(raw); ++column) add_column(row, raw, column);
        all.rows.push_back(hex(digest(base::as_bytes(row))));
    }
    return all;
}

Errc StoreTest::open_error(const KeySlot& slot, IfAbsent if_absent) {
    const auto opened = open(slot, if_absent);
    EXPECT_FALSE(opened.has_value());
    return opened ? Errc::unknown : opened.error().code;
}

void StoreTest::make_store(int rows) {
    auto vfs = open();
    ASSERT_TRUE(vfs);
    Connection db{**vfs, database_};
    ASSERT_EQ(db.run("CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB, word TEXT); CREATE INDEX i ON t(word)"),
              SQLITE_OK);
    ASSERT_EQ(db.run(insert(rows)), SQLITE_OK);
}

std::string insert(int rows) {
    return "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<" + std::to_string(rows) +
           ") INSERT INTO t(body,word) SELECT randomblob(500), 'word-'||x FROM n";
}

void flip(const fs::path& path, std::uint64_t at) {
    auto bytes = contents(path);
    ASSERT_LT(at, bytes.size());
    bytes[at] ^= std::byte{0x01};
    put_contents(path, bytes);
}

void copy_piece(const fs::path& from, std::uint64_t from_at, const fs::path& to, std::uint64_t to_at,
                std::size_t size) {
    const auto source = contents(from);
    auto target = contents(to);
    ASSERT_LE(from_at + size, source.size());
    ASSERT_LE(to_at + size, target.size());
    std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(from_at), size,
                target.begin() + static_cast<std::ptrdiff_t>(to_at));
    put_contents(to, target);
}

} // namespace clinic::crypto::tests
