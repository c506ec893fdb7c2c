#include "crypto/connection.h"

#include <sqlite3.h>

#include "crypto/aead.h"

namespace clinic::crypto {

Result<void> set_page_reserve(sqlite3* connection) {
    int reserve = static_cast<int>(trailer_bytes);
    int rc = sqlite3_file_control(connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    reserve = -1; // asks
    if (rc == SQLITE_OK) rc = sqlite3_file_control(connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    if (rc != SQLITE_OK || reserve != static_cast<int>(trailer_bytes))
        return Error{Errc::corrupt, "a page of the store has no room for its seal", "", {}, rc};
    return {};
}

} // namespace clinic::crypto
