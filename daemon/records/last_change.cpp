#include "daemon/records/last_change.h"

namespace clinic::records {

Result<Timestamp> last_change(Session& session, PatientId patient) {
    auto find = session.prepare("SELECT max(coalesce((SELECT updated_at FROM patient WHERE id = ?1), 0),"
                                " coalesce((SELECT max(updated_at) FROM appointment WHERE patient = ?1), 0),"
                                " coalesce((SELECT max(recorded_at) FROM consent WHERE patient = ?1), 0))");
    if (!find) return find.error();
    const auto row = find->bind(patient).step();
    if (!row) return row.error();
    return Timestamp{*row ? find->integer(0) : 0};
}

} // namespace clinic::records
