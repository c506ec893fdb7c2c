// A new database file, whole: superblocks and page 1 of an empty database, renamed into place.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"
#include "crypto/superblock.h"

namespace clinic::crypto {

// `superblock` goes into A, and with the next sequence into B, which it then holds. A power cut leaves a store or none.
// Errors: full, system.
Result<void> write_store_file(const std::filesystem::path& database, Superblock& superblock,
                              const SecureBytes& store_key);

} // namespace clinic::crypto
