// A store in a folder of its own, and what tests do to it: SQL, bytes on the disk, damage.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "crypto/sealed_vfs.h"
#include "crypto/superblock.h"
#include "tests/crypto/store_files.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::crypto::tests {

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close>>;

KeySlot key_slot(unsigned char fill = 0x5A);
SecureBytes key_of(unsigned char fill);

// Each cipher that a store can be sealed with: a suite that is about the seal runs for every one.
inline const auto every_cipher = testing::Values(CipherId::xchacha20_poly1305, CipherId::aes256_gcm);
std::string cipher_name(const testing::TestParamInfo<CipherId>& cipher);

// A store that holds nothing, with all that SealedVfs::open would choose at random.
void lay_out_store(const std::filesystem::path& database, const Superblock& superblock, const SecureBytes& store_key,
                   const KeySlot& slot = key_slot());

// Every row as the digest of its values and their types, and the code that ended them: SQLITE_DONE, or an error.
struct Rows {
    std::vector<std::string> rows;
    int code = SQLITE_DONE;

    friend bool operator==(const Rows&, const Rows&) = default;
};

// One connection. `run` and `text` return SQLite's extended code, or the first column of the first row.
class Connection {
public:
    Connection(const SealedVfs& vfs, const std::filesystem::path& database) : Connection{vfs.name(), database} {}
    Connection(const char* vfs, const std::filesystem::path& database);

    bool is_open() const { return code_ == SQLITE_OK; }
    int open_code() const { return code_; }
    int run(const std::string& sql);
    std::string text(const std::string& sql); // "error <code>" when it fails
    Rows rows(const std::string& sql);        // of one statement
    sqlite3* get() const { return db_.get(); }

private:
    Db db_;
    int code_ = SQLITE_OK;
};

class StoreTest : public testing::Test {
protected:
    Result<std::unique_ptr<SealedVfs>> open(const KeySlot& slot = key_slot(), IfAbsent if_absent = IfAbsent::create) {
        return SealedVfs::open(database_, slot, if_absent, cipher_);
    }
    Errc open_error(const KeySlot& slot = key_slot(), IfAbsent if_absent = IfAbsent::create);
    void make_store(int rows = 50); // a table `t` of `rows`, checkpointed and closed

    std::optional<CipherId> cipher_; // of a store that is made; else the fastest
    fakes::TempFolder folder_;
    const std::filesystem::path database_ = folder_ / "records.db";
    const std::filesystem::path wal_ = folder_ / "records.db-wal";
};

void flip(const std::filesystem::path& path, std::uint64_t at);
void copy_piece(const std::filesystem::path& from, std::uint64_t from_at, const std::filesystem::path& to,
                std::uint64_t to_at, std::size_t size);
std::string insert(int rows);

} // namespace clinic::crypto::tests
