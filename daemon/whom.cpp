#include "daemon/whom.h"

#include "daemon/asked.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"

namespace clinic::daemon {

Result<std::optional<records::PatientId>> whom(records::Session& session, const nlohmann::json& args) {
    const std::string pid = word(args, "pid"), of_record = word(args, "number");
    if (!pid.empty()) {
        const auto found = outbox::Links::patient_by_pid(session, pid);
        CLINIC_TRY(found);
        if (!*found) return Error{Errc::not_found, "nobody here has that pseudonym", "it is the field ce_pid in GHL"};
        return *found;
    }
    if (of_record.empty()) return std::optional<records::PatientId>{};
    const auto found = records::find_by_index(session, "number_any", of_record);
    CLINIC_TRY(found);
    if (found->empty())
        return Error{Errc::not_found, "no patient has this record number", "see how the sender writes it"};
    if (found->size() > 1)
        return Error{Errc::conflict, "several patients have this record number", "name one by --pid, from GHL"};
    return std::optional{found->front()};
}

} // namespace clinic::daemon
