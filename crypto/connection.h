// What a new connection through a SealedVfs needs before its first statement.
#pragma once

#include "crypto/base/result.h"

struct sqlite3;

namespace clinic::crypto {

// Has SQLite leave the last 40 bytes of each page to us, and sees that it does.
// A store is made with that already; call it right after sqlite3_open_v2.
// Errors: corrupt.
Result<void> set_page_reserve(sqlite3* connection);

} // namespace clinic::crypto
