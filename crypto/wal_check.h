// A look at the WAL that a crash left, before SQLite recovers it. SQLite stops at the first frame that does not fit,
// which is right for a torn tail and would hide damage further in: what was committed behind it would be gone.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"
#include "crypto/page_cipher.h"

namespace clinic::crypto {

// True: there is nothing in it. Errors: tampered, conflict (of another store), newer, system.
Result<bool> check_wal(const std::filesystem::path& wal, const PageCipher& cipher);

} // namespace clinic::crypto
