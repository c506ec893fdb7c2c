// What the targets of the store share: stores of fixed keys, one for each cipher, and their files as they lie on a
// disk.
#pragma once

#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/key_slot.h"
#include "crypto/sealed_vfs.h"
#include "crypto/superblock.h"

namespace clinic::fuzz {

using crypto::Bytes;

crypto::SecureBytes key_of(unsigned char fill); // 32 bytes, all the same
crypto::KeySlot slot();                         // opens every store of these
crypto::SecureBytes store_key();
crypto::SecureBytes wrapping_key(); // of the keystore
crypto::Superblock parts(crypto::CipherId cipher);
inline constexpr std::array ciphers{crypto::CipherId::xchacha20_poly1305, crypto::CipherId::aes256_gcm};

Bytes superblocks(crypto::CipherId cipher);
Bytes read(const std::filesystem::path& path);
void write(const std::filesystem::path& path, std::span<const std::byte> bytes);

using Db = std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close>>;
Db connect(const crypto::SealedVfs& vfs, const std::filesystem::path& database); // null: it cannot be opened
int run(sqlite3* db, const std::string& sql);
std::string text(sqlite3* db, const std::string& sql); // all rows as one, or "error N"

// A store in a folder, and what it holds after each commit of its WAL. The content is the same each time it is made.
struct Store {
    Bytes database;                  // without what is in the WAL
    Bytes wal;                       // of all commits, as a crash leaves it
    std::vector<std::string> states; // before the first commit and after each
};
Store make_store(const std::filesystem::path& database, crypto::CipherId cipher);
extern const std::string everything; // one statement, for `text`

} // namespace clinic::fuzz
