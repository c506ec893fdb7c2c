// The end of the audit chain as it stands in its tables: what the next link goes behind, and what the page counts. What
// a link is, and whether the end is whole, is the audit's to say.
//   Errors:  those of a statement.
//   Threads: of the session.
#pragma once

#include "daemon/records/store.h"

namespace clinic::records {

Result<AuditEnd> read_audit_end(Session& session); // from the database, whatever is known
Result<AuditEnd> audit_end(Session& session);      // from memory, where nothing has changed it

} // namespace clinic::records
