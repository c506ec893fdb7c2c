#include "daemon/records/appointments.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/records/appointment_rows.h"
#include "daemon/records/blind_index.h"
#include "daemon/records/people.h"

namespace clinic::records {
namespace {

using nlohmann::json;

constexpr Literal sealed_at = "appointment.sealed";
constexpr std::size_t appointment_bytes_max = 262'144; // of the sealed JSON
constexpr int depth_max = 2;

struct Times {
    std::optional<Timestamp> start, end;
};

struct Row {
    std::int64_t row = 0;
    AppointmentId id;
    std::optional<PatientId> patient;
    std::string sealed_json;
    Times times;
};

Result<std::string> open_row(Session& session, std::optional<PatientId> patient, std::int64_t row,
                             std::span<const std::byte> sealed) {
    return patient ? session.open_for(*patient, sealed_at, row, sealed) : session.open_unowned(sealed_at, row, sealed);
}

Result<crypto::Bytes> seal_row(Session& session, std::optional<PatientId> patient, std::int64_t row,
                               std::string_view plain) {
    if (patient) return session.seal_for(*patient, sealed_at, row, plain);
    return session.seal_unowned(sealed_at, row, plain);
}

Result<std::optional<Row>> find_row(Session& session, const crypto::Token& token) {
    auto find = session.prepare("SELECT row, id, patient, sealed, start_at, end_at FROM appointment WHERE token = ?");
    if (!find) return find.error();
    const auto any = find->bind(token).step();
    if (!any) return any.error();
    if (!*any) return std::optional<Row>{};
    Row row{find->integer(0), {find->uuid(1)}, {}, {}, {}};
    if (!find->is_null(2)) row.patient = PatientId{find->uuid(2)};
    if (!find->is_null(4)) row.times.start = Timestamp{find->integer(4)};
    if (!find->is_null(5)) row.times.end = Timestamp{find->integer(5)};
    auto plain = open_row(session, row.patient, row.row, find->blob(3));
    if (!plain) return plain.error();
    row.sealed_json = std::move(*plain);
    return std::optional<Row>{std::move(row)};
}

Result<Row> make_row(Transaction& txn, const crypto::Token& token, AppointmentStatus status, bool test_traffic) {
    auto insert =
        txn.prepare("INSERT INTO appointment (id, token, status, test_traffic, created_at, updated_at, sealed)"
                    " VALUES (?, ?, ?, ?, ?, ?, x'')");
    if (!insert) return insert.error();
    Row row{0, AppointmentId::make(txn.now()), {}, "{}", {}};
    CLINIC_TRY(insert->bind(row.id, token, static_cast<int>(status), test_traffic, txn.now(), txn.now()).run());
    row.row = txn.last_row();
    return row;
}

void apply(json& fields, const char* key, const Said<PhiText>& said, const Disclosure& why) {
    if (said.is_cleared())
        fields.erase(key);
    else if (said.is_given())
        fields[key] = reveal(said.value(), why);
}

Result<std::string> changed_fields(const std::string& before, const AppointmentChange& change, const Disclosure& why) {
    auto fields = base::parse_json(before, appointment_bytes_max, depth_max);
    if (!fields || !fields->is_object())
        return Error{Errc::corrupt, "an appointment's sealed fields are not as written"};
    (*fields)["name_space"] = change.name_space;
    (*fields)["key"] = reveal(change.key, why);
    apply(*fields, "reason", change.reason, why);
    apply(*fields, "provider", change.provider, why);
    apply(*fields, "location", change.location, why);
    std::string text = base::dump_json(*fields);
    if (text.size() > appointment_bytes_max)
        return Error{Errc::full, "an appointment's fields are longer than their bound"};
    return text;
}

// One that moves, and of which nobody says how long it is now, is as long as it was. An end before the start is none.
Times times_after(const Times& before, const AppointmentChange& change) {
    Times after{change.start ? change.start : before.start, change.end ? change.end : before.end};
    if (!change.end && before.start && before.end) after.end = *after.start + (*before.end - *before.start);
    if (after.start && after.end && *after.end < *after.start) after.end.reset();
    return after;
}

Result<void> keep_row(Transaction& txn, const Row& row, std::optional<PatientId> patient,
                      const AppointmentChange& change, const std::string& plain) {
    const auto sealed = seal_row(txn, patient, row.row, plain);
    if (!sealed) return sealed.error();
    auto update = txn.prepare("UPDATE appointment SET patient = ?, status = CASE WHEN ? THEN status ELSE ? END,"
                              " start_at = ?, end_at = ?, updated_at = ?, sealed = ? WHERE row = ?");
    if (!update) return update.error();
    const Times times = times_after(row.times, change);
    update->bind(patient, change.keep_status, static_cast<int>(change.status), times.start, times.end);
    update->bind(txn.now(), *sealed, row.row);
    return update->run();
}

// What comes late says when it is, where nobody has said that since.
Result<void> fill_times(Transaction& txn, const Row& row, const AppointmentChange& change) {
    if (!change.start) return {};
    auto fill = txn.prepare("UPDATE appointment SET start_at = ?, end_at = ?, updated_at = ?"
                            " WHERE row = ? AND start_at IS NULL");
    if (!fill) return fill.error();
    const Times times = times_after(row.times, change);
    return fill->bind(times.start, times.end, txn.now(), row.row).run();
}

Result<std::optional<PatientId>> owner_of(Session& session, std::optional<PatientId> patient) {
    if (!patient) return std::optional<PatientId>{};
    const auto person = survivor_of(session, *patient);
    if (!person) return person.error();
    return std::optional<PatientId>{person->id};
}

} // namespace

Result<AppointmentUpserted> upsert_appointment(Transaction& txn, const Disclosure& why,
                                               std::optional<PatientId> patient, const AppointmentChange& change,
                                               const Stamp& stamp, bool test_traffic) {
    const std::string key = trimmed(reveal(change.key, why));
    if (key.empty()) return Error{Errc::malformed, "an appointment without a key"};
    const auto token = appointment_token(txn, change.name_space, key, test_traffic);
    const auto found = find_row(txn, token);
    if (!found) return found.error();
    const auto row = *found ? Result<Row>{**found} : make_row(txn, token, change.status, test_traffic);
    if (!row) return row.error();
    AppointmentUpserted upserted{row->id, !found->has_value(), false, row->patient, {}};

    const auto newer = advance_stamp(txn, row->id.uuid, stamp);
    if (!newer) return newer.error();
    if (!*newer) {
        upserted.stale = true;
        CLINIC_TRY(fill_times(txn, *row, change));
        return upserted;
    }
    const auto said = owner_of(txn, patient);
    if (!said) return said.error();
    upserted.patient = *said ? *said : row->patient; // a message that names nobody takes nobody away
    if (row->patient && upserted.patient != row->patient) upserted.moved_from = row->patient;
    const auto plain = changed_fields(row->sealed_json, change, why);
    if (!plain) return plain.error();
    CLINIC_TRY(keep_row(txn, *row, upserted.patient, change, *plain));
    return upserted;
}

Result<void> move_appointments(Transaction& txn, PatientId survivor, PatientId prior) {
    std::vector<std::pair<std::int64_t, std::string>> rows;
    auto find = txn.prepare("SELECT row, sealed FROM appointment WHERE patient = ?");
    if (!find) return find.error();
    find->bind(prior);
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) break;
        auto plain = txn.open_for(prior, sealed_at, find->integer(0), find->blob(1));
        if (!plain) return plain.error();
        rows.emplace_back(find->integer(0), std::move(*plain));
    }
    auto update = txn.prepare("UPDATE appointment SET patient = ?, sealed = ?, updated_at = ? WHERE row = ?");
    if (!update) return update.error();
    for (const auto& [row, plain] : rows) {
        const auto sealed = txn.seal_for(survivor, sealed_at, row, plain);
        if (!sealed) return sealed.error();
        CLINIC_TRY(update->bind(survivor, *sealed, txn.now(), row).run());
    }
    return {};
}

} // namespace clinic::records
