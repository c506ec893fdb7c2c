// Which file systems a store may lie on. A network's, or one that a program serves, breaks what a store rests on: locks
// that hold, an fsync that is one, and a file that is there as long as it is open.
//   Source:  SQLite, "How to corrupt a database", 2.1; statfs(2) for the numbers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "crypto/base/result.h"

namespace clinic::crypto {

// Why a store may not lie on a file system of this kind (statfs f_type), by its name; nullopt: it may.
std::optional<Error> refused_file_system(std::uint64_t kind);

// Errors: unsupported, with the file system's name. A folder that cannot be looked at is for the next call to say.
Result<void> may_hold_a_store(const std::filesystem::path& folder);

} // namespace clinic::crypto
