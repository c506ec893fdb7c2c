// The numbered migrations: forward only, each in one transaction, PRAGMA user_version says how far.
#pragma once

#include "daemon/records/connection.h"

namespace clinic::records {

inline constexpr int schema_version_known = 14;

// Up to that version. Errors: newer (made by a later version), else as a statement.
Result<void> migrate(Connection& connection, int to = schema_version_known);
Result<int> schema_version(Connection& connection);

} // namespace clinic::records
