#include "daemon/records/shown_person.h"

#include "daemon/records/patient_fields.h"
#include "daemon/records/people.h"

namespace clinic::records {

Result<ShownPerson> shown_person(Session& session, const Disclosure&, PatientId patient) {
    const auto person = survivor_of(session, patient);
    if (!person) return person.error();
    auto find = session.prepare("SELECT sealed FROM patient WHERE row = ?");
    if (!find) return find.error();
    const auto row = find->bind(person->row).step();
    if (!row) return row.error();
    if (!*row) return Error{Errc::not_found, "no such patient"};
    const auto json = session.open_for(person->id, "patient.sealed", person->row, find->blob(0));
    if (!json) return json.error();
    auto fields = decode_patient(*json);
    if (!fields) return fields.error();
    return ShownPerson{PhiText{std::move(fields->family)}, PhiText{std::move(fields->given)},
                       PhiText{std::move(fields->birth_date)}};
}

} // namespace clinic::records
