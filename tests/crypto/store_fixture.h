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
#include "tests/fakes/temp_folder.h"

namespace clinic::crypto::tests {

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close>>;

KeySlot key_slot(unsigned char fill = 0x5A);

// One connection. `run` and `text` return SQLite's extended code, or the first column of the first row.
class Connection {
public:
    Connection(const SealedVfs& vfs, const std::filesystem::path& database);

    bool is_open() const { return code_ == SQLITE_OK; }
    int open_code() const { return code_; }
    int run(const std::string& sql);
    std::string text(const std::string& sql); // "error <code>" when it fails
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

std::vector<std::byte> contents(const std::filesystem::path& path);
void put_contents(const std::filesystem::path& path, std::span<const std::byte> bytes);
void flip(const std::filesystem::path& path, std::uint64_t at);
void copy_piece(const std::filesystem::path& from, std::uint64_t from_at, const std::filesystem::path& to,
                std::uint64_t to_at, std::size_t size);
bool holds(std::span<const std::byte> bytes, std::string_view marker);

// Copies the folder as it is now: what a crash of this process would leave.
void copy_folder(const std::filesystem::path& from, const std::filesystem::path& to);

std::string insert(int rows);

} // namespace clinic::crypto::tests
