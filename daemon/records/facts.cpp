// What release and the status page may look at: no identifier, no text.
#include <algorithm>

#include "daemon/records/blind_index.h"
#include "daemon/records/patients.h"
#include "daemon/records/people.h"

namespace clinic::records {
namespace {

constexpr std::size_t appointments_max = 64;

std::optional<Timestamp> time_of(const Statement& statement, int column) {
    if (statement.is_null(column)) return std::nullopt;
    return Timestamp{statement.integer(column)};
}

Result<void> read_person(Session& session, PatientFacts& facts) {
    const auto row = patient_row(session, facts.id);
    CLINIC_TRY(row);
    if (!*row) return Error{Errc::not_found, "no such patient"};
    facts.status = (*row)->status;
    facts.merged_into = (*row)->merged_into;
    facts.test_traffic = (*row)->test_traffic;
    facts.has_mobile = (*row)->has_mobile;
    facts.has_email = (*row)->has_email;
    facts.created_at = (*row)->created_at;
    return {};
}

// A visit and a completed appointment of one day, in the zone of this process, are one visit.
Result<void> read_visits(Session& session, PatientFacts& facts) {
    auto find = session.prepare(
        "SELECT max(at), count(DISTINCT date(at / 1000000, 'unixepoch', 'localtime')) FROM"
        " (SELECT at FROM visit WHERE patient = ?1 AND at <= ?2 AND taken_back IS NULL"
        " UNION ALL SELECT start_at FROM appointment WHERE patient = ?1 AND status = ?3 AND start_at <= ?2)");
    if (!find) return find.error();
    const auto completed = static_cast<int>(AppointmentStatus::completed);
    const auto row = find->bind(facts.id, session.now(), completed).step();
    if (!row) return row.error();
    facts.last_visit = time_of(*find, 0);
    facts.visits = static_cast<int>(find->integer(1));
    return {};
}

// Open ones first: those to come, soonest first; then those whose time has passed. Then the others, newest first.
// The words of is_open() as numbers: requested to arrived are 0 to 3, rescheduled is 7.
static_assert(static_cast<int>(AppointmentStatus::arrived) == 3 &&
              static_cast<int>(AppointmentStatus::rescheduled) == 7);
static_assert(static_cast<int>(AppointmentStatus::entered_in_error) == 8);

Result<void> read_appointments(Session& session, PatientFacts& facts) {
    auto find = session.prepare(
        "SELECT id, status, start_at, end_at, status IN (0, 1, 2, 3, 7) AS is_open,"
        " coalesce(start_at >= ?2, 0) AS to_come FROM appointment WHERE patient = ?1 AND status <> 8"
        " ORDER BY is_open DESC, is_open AND to_come DESC, CASE WHEN is_open AND to_come THEN start_at END,"
        " start_at DESC, row DESC LIMIT ?3");
    if (!find) return find.error();
    find->bind(facts.id, session.now(), static_cast<int>(appointments_max + 1));
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        facts.more_appointments = *row && facts.appointments.size() == appointments_max;
        if (!*row || facts.more_appointments) return {};
        facts.appointments.push_back(
            {{find->uuid(0)}, static_cast<AppointmentStatus>(find->integer(1)), time_of(*find, 2), time_of(*find, 3)});
    }
}

// The order in which the last row of a scope counts: given later, said later, more restrictive, recorded later.
Result<ConsentRows> latest_consents(Session& session, PatientId patient) {
    const RowKey key{.owner = patient.uuid};
    if (const auto kept = session.kept<ConsentRows>(key)) return *kept;
    auto find = session.prepare("SELECT scope, state, expires_at, max(revision) OVER (PARTITION BY scope) FROM consent"
                                " WHERE patient = ? ORDER BY scope, given_at DESC, said_at DESC, state DESC, row DESC");
    if (!find) return find.error();
    find->bind(patient);
    ConsentRows rows;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return session.keep(key, rows);
        const auto scope = static_cast<ConsentScope>(find->integer(0));
        if (rows.count > 0 && rows.latest[rows.count - 1U].scope == scope) continue;
        if (rows.count == rows.latest.size()) return Error{Errc::corrupt, "a consent's scope is not one of ours"};
        rows.latest[rows.count++] = {scope, static_cast<ConsentState>(find->integer(1)), time_of(*find, 2),
                                     static_cast<int>(find->integer(3))};
    }
}

Result<std::vector<PatientId>> ids(Statement& find) {
    std::vector<PatientId> out;
    for (;;) {
        const auto row = find.step();
        if (!row) return row.error();
        if (!*row) return out;
        out.push_back({find.uuid(0)});
    }
}

// Who was merged is found as the survivor, and each once.
Result<std::vector<PatientId>> people(Statement& find) {
    auto found = ids(find);
    if (!found || found->size() < 2) return found;
    std::ranges::sort(*found);
    found->erase(std::unique(found->begin(), found->end()), found->end());
    return found;
}

std::optional<IndexKind> index_kind(std::string_view kind) {
    if (kind == "name") return IndexKind::name;
    if (kind == "phone") return IndexKind::phone;
    if (kind == "email") return IndexKind::email;
    if (kind == "birth_date") return IndexKind::birth_date;
    return std::nullopt;
}

std::string normal(IndexKind kind, std::string_view value) {
    switch (kind) {
    case IndexKind::name: return normal_name(value);
    case IndexKind::phone: return normal_phone(value);
    case IndexKind::email: return normal_email(value);
    default: return trimmed(value);
    }
}

Result<std::vector<PatientId>> find_by_number(Session& session, std::string_view value) {
    const auto bar = value.rfind('|');
    if (bar == std::string_view::npos) return std::vector<PatientId>{};
    auto find =
        session.prepare("SELECT coalesce((SELECT merged_into FROM patient INDEXED BY patient_aside WHERE id = i.patient"
                        " AND (merged_into IS NOT NULL OR test_traffic = 1)), i.patient)"
                        " FROM identifier i WHERE i.token = ?");
    if (!find) return find.error();
    return ids(find->bind(number_token(session, value.substr(0, bar), value.substr(bar + 1), false)));
}

// Real people with that number, whoever gave it out.
Result<std::vector<PatientId>> find_by_any_number(Session& session, std::string_view value) {
    auto find =
        session.prepare("SELECT coalesce((SELECT merged_into FROM patient INDEXED BY patient_aside WHERE id = t.patient"
                        " AND (merged_into IS NOT NULL OR test_traffic = 1)), t.patient)"
                        " FROM patient_token t WHERE t.kind = ? AND t.token = ?"
                        " AND NOT EXISTS (SELECT 1 FROM patient INDEXED BY patient_aside WHERE id = t.patient"
                        " AND (merged_into IS NOT NULL OR test_traffic = 1) AND test_traffic = 1) LIMIT ?");
    if (!find) return find.error();
    return people(find->bind(static_cast<int>(IndexKind::number),
                             index_token(session, IndexKind::number, trimmed(value)), found_max));
}

} // namespace

Result<PatientFacts> patient_facts(Session& session, PatientId patient) {
    PatientFacts facts;
    facts.id = patient;
    CLINIC_TRY(read_person(session, facts));
    CLINIC_TRY(read_visits(session, facts));
    CLINIC_TRY(read_appointments(session, facts));
    const auto consents = latest_consents(session, patient);
    CLINIC_TRY(consents);
    facts.consents.assign(consents->latest.begin(), consents->latest.begin() + consents->count);
    return facts;
}

Result<std::optional<AppointmentFacts>> appointment_facts(Session& session, PatientId patient,
                                                          AppointmentId appointment) {
    std::optional<AppointmentFacts> out;
    auto find = session.prepare(
        "SELECT status, start_at, end_at FROM appointment WHERE id = ? AND patient = ? AND status <> 8");
    if (!find) return find.error();
    const auto row = find->bind(appointment, patient).step();
    if (!row) return row.error();
    if (*row)
        out = AppointmentFacts{appointment, static_cast<AppointmentStatus>(find->integer(0)), time_of(*find, 1),
                               time_of(*find, 2)};
    return out;
}

Result<std::vector<PatientId>> active_patients(Session& session, std::optional<PatientId> after, int rows_max) {
    auto find = session.prepare("SELECT id FROM patient WHERE status IN (?, ?) AND id > ? ORDER BY id LIMIT ?");
    if (!find) return find.error();
    return ids(find->bind(static_cast<int>(PatientStatus::active), static_cast<int>(PatientStatus::inactive),
                          after.value_or(PatientId{}), rows_max));
}

Result<std::int64_t> patient_count(Session& session) {
    // Rows are numbered from one without gaps, and none is ever deleted; a salvage notes those that it could not save.
    auto count = session.prepare("SELECT (SELECT coalesce(max(row), 0) FROM patient) -"
                                 " (SELECT count(*) FROM patient WHERE merged_into IS NOT NULL) -"
                                 " (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM setting"
                                 "  WHERE key = 'patients_missing')");
    if (!count) return count.error();
    const auto row = count->step();
    if (!row) return row.error();
    return count->integer(0);
}

Result<std::vector<PatientId>> find_by_index(Session& session, Literal kind, std::string_view value) {
    if (std::string_view{kind.c_str()} == "number") return find_by_number(session, value);
    if (std::string_view{kind.c_str()} == "number_any") return find_by_any_number(session, value);
    const auto index = index_kind(kind.c_str());
    if (!index) return Error{Errc::refused, "no such index"};
    auto find =
        session.prepare("SELECT coalesce((SELECT merged_into FROM patient INDEXED BY patient_aside WHERE id = t.patient"
                        " AND (merged_into IS NOT NULL OR test_traffic = 1)), t.patient)"
                        " FROM patient_token t WHERE t.kind = ? AND t.token = ? LIMIT ?");
    if (!find) return find.error();
    return people(find->bind(static_cast<int>(*index), index_token(session, *index, normal(*index, value)), found_max));
}

Result<bool> is_found_by_index(Session& session, PatientId patient, Literal kind, std::string_view value) {
    const auto index = index_kind(kind.c_str());
    if (!index) return Error{Errc::refused, "no such index"};
    const auto token = index_token(session, *index, normal(*index, value));
    auto find = session.prepare("SELECT EXISTS (SELECT 1 FROM patient_token WHERE kind = ?1 AND token = ?2"
                                " AND (patient = ?3 OR patient IN (SELECT id FROM patient WHERE merged_into = ?3)))");
    if (!find) return find.error();
    const auto row = find->bind(static_cast<int>(*index), token, patient).step();
    if (!row) return row.error();
    return find->integer(0) != 0;
}

} // namespace clinic::records
