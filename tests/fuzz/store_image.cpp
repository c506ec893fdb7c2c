#include "tests/fuzz/store_image.h"

#include <algorithm>
#include <cassert>
#include <fstream>
#include <iterator>

#include "crypto/connection.h"
#include "crypto/first_page.h"

namespace clinic::fuzz {

namespace fs = std::filesystem;
using namespace crypto;

const std::string everything = "SELECT group_concat(id||'='||quote(body)||word, ' ') FROM t ORDER BY id";

SecureBytes key_of(unsigned char fill) {
    SecureBytes key = SecureBytes::zeroed(key_bytes);
    std::ranges::fill(key.bytes(), std::byte{fill});
    return key;
}
KeySlot slot() {
    return KeySlot::from_key(key_of(0x5A));
}
SecureBytes store_key() {
    return key_of(0xC3);
}
SecureBytes wrapping_key() {
    return key_of(0x2D);
}

Superblock parts(CipherId cipher) {
    return {.cipher = cipher, .store = {std::byte{0xF5}, std::byte{0x22}}};
}

Bytes superblocks(CipherId cipher) {
    Bytes made(main_head_bytes);
    Superblock second = parts(cipher);
    ++second.sequence;
    const std::span<std::byte> bytes{made};
    std::ranges::copy(make_superblock(parts(cipher), store_key(), slot().key()), bytes.begin());
    std::ranges::copy(make_superblock(second, store_key(), slot().key()), bytes.subspan(superblock_bytes).begin());
    return made;
}

Bytes read(const fs::path& path) {
    std::ifstream file{path, std::ios::binary};
    const std::string all{std::istreambuf_iterator<char>{file}, {}};
    const auto* begin = reinterpret_cast<const std::byte*>(all.data());
    return {begin, begin + all.size()};
}

void write(const fs::path& path, std::span<const std::byte> bytes) {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    assert(file.flush());
}

Db connect(const SealedVfs& vfs, const fs::path& database) {
    sqlite3* raw = nullptr;
    const int rc = sqlite3_open_v2(database.c_str(), &raw, SQLITE_OPEN_READWRITE, vfs.name());
    Db db{raw};
    if (rc != SQLITE_OK) return nullptr;
    sqlite3_extended_result_codes(raw, 1);
    run(raw, "PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint=0");
    return db;
}

int run(sqlite3* db, const std::string& sql) {
    return sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr);
}

std::string text(sqlite3* db, const std::string& sql) {
    std::string all;
    const auto add = [](void* to, int columns, char** values, char**) {
        for (int i = 0; i < columns; ++i)
            *static_cast<std::string*>(to) += (values[i] == nullptr ? "NULL" : values[i]) + std::string{";"};
        return 0;
    };
    const int rc = sqlite3_exec(db, sql.c_str(), add, &all, nullptr);
    return rc == SQLITE_OK ? all : "error " + std::to_string(rc);
}

Store make_store(const fs::path& database, CipherId cipher) {
    Bytes file = superblocks(cipher);
    file.resize(main_head_bytes + page_bytes);
    const Page first = empty_first_page();
    PageCipher{cipher, store_key(), 1, parts(cipher).store}.seal(
        {Piece::page, 1}, std::span{first}.first(page_plain_bytes), std::span{file}.subspan(main_head_bytes));
    write(database, file);
    fs::path wal = database;
    wal += "-wal";

    Store made;
    {
        const auto vfs = SealedVfs::open(database, slot(), IfAbsent::fail);
        assert(vfs);
        const Db db = connect(**vfs, database);
        int rc =
            run(db.get(), "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB, word TEXT); CREATE INDEX i ON t(word);"
                          "INSERT INTO t VALUES(1, zeroblob(3000), 'one'), (2, zeroblob(5000), 'two');"
                          "PRAGMA wal_checkpoint(TRUNCATE)");
        made.states.push_back(text(db.get(), everything));
        made.database = read(database);
        for (int round = 0; round < 4; ++round) {
            const std::string number = std::to_string(round);
            for (const std::string& sql : {"UPDATE t SET word=word||" + number + " WHERE id=1",
                                           "INSERT INTO t(body, word) VALUES(x'0" + number + "', 'more')"}) {
                rc |= run(db.get(), sql);
                made.states.push_back(text(db.get(), everything));
            }
        }
        assert(rc == SQLITE_OK);
        made.wal = read(wal);
    }
    fs::remove(wal);
    write(database, made.database);
    return made;
}

} // namespace clinic::fuzz
