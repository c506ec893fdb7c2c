#include "daemon/records/audit_end.h"

#include <algorithm>

namespace clinic::records {

// Zeros where it is no hash.
Result<AuditEnd> read_audit_end(Session& session) {
    auto find = session.prepare("SELECT (SELECT max(number) FROM audit_link),"
                                " (SELECT hash FROM audit_link ORDER BY number DESC LIMIT 1),"
                                " (SELECT seq FROM sqlite_sequence WHERE name = 'audit_link'),"
                                " (SELECT max(link) FROM audit_subject)");
    CLINIC_TRY(find);
    const auto row = find->step();
    CLINIC_TRY(row);
    AuditEnd end{.newest = find->integer(0)};
    end.given = std::max({end.newest, find->integer(2), find->integer(3)});
    if (const auto hash = find->blob(1); hash.size() == end.hash.size()) std::ranges::copy(hash, end.hash.begin());
    return end;
}

Result<AuditEnd> audit_end(Session& session) {
    if (const auto kept = session.kept<AuditEnd>({})) return *kept;
    const auto end = read_audit_end(session);
    CLINIC_TRY(end);
    return session.keep({}, *end);
}

} // namespace clinic::records
