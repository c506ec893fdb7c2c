// One SQLite database through the sealed VFS with either cipher, or through plain `unix-excl` as the control, and
// numbered commits into it whose outcome is known: the state after n commits is one, whoever makes them.
//   Errors:  SQLite's extended codes. One that the store itself gives at open is SQLITE_ERROR, and `why` says it.
//   Threads: one.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "crypto/base/owned.h"
#include "crypto/sealed_vfs.h"
#include "tests/crypto/power_cut.h"

namespace clinic::crypto::tests {

enum class Under { plain, xchacha20, aes256 };

class SqlStore {
public:
    SqlStore(Under under, const std::filesystem::path& database, IfAbsent if_absent = IfAbsent::fail);
    SqlStore(const SqlStore&) = delete;
    SqlStore& operator=(const SqlStore&) = delete;

    int code() const { return code_; } // of the opening
    std::optional<Error> why() const { return why_; }
    sqlite3* get() const { return db_.get(); }
    int run(const std::string& sql) const;
    std::string text(const std::string& sql) const; // "error <code>" when it fails
    int number(const std::string& sql) const;       // -1 when it fails

    int make_tables() const;
    // Commit `n`: rows, an index, pages all over the tree; every third rolls a part of itself back. It is there when
    // SQLITE_OK comes back. Else it was rolled back.
    int commit(int n) const;
    int commits() const { return number("SELECT coalesce(max(n),0) FROM c"); }
    std::uint64_t fingerprint() const; // of all content; 0 when it cannot be read

private:
    std::unique_ptr<SealedVfs> vfs_;
    std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close>> db_;
    int code_ = SQLITE_OK;
    std::optional<Error> why_;
};

// The content after n commits.
std::uint64_t fingerprint_after(int n);

// Opens what is in `folder` ("records.db"), reads all of it and compares, and makes one more commit.
Found judge_sql(Under under, const std::filesystem::path& folder, Bounds bounds);

} // namespace clinic::crypto::tests
