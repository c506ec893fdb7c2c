// A small file that holds a secret, read straight into guarded memory: no copy of it stays in the heap.
//   Bounds:  the caller's.
//   Errors:  not_found (it cannot be opened), system (it cannot be read), full (it is longer than that).
//   Threads: any.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

Result<SecureBytes> read_secret_file(const std::filesystem::path& path, std::size_t bytes_max);

} // namespace clinic::crypto
