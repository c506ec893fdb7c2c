#include "daemon/records/patients.h"

#include <algorithm>
#include <iterator>

#include "daemon/records/blind_index.h"
#include "daemon/records/patient_fields.h"
#include "daemon/records/people.h"
#include "daemon/records/session.h"

namespace clinic::records {
namespace {

constexpr Literal sealed_at = "patient.sealed";

Result<std::optional<PatientId>> patient_of(Session& session, const crypto::Token& number) {
    auto find =
        session.prepare("SELECT coalesce((SELECT merged_into FROM patient INDEXED BY patient_aside WHERE id = i.patient"
                        " AND (merged_into IS NOT NULL OR test_traffic = 1)), i.patient)"
                        " FROM identifier i WHERE i.token = ?");
    if (!find) return find.error();
    const auto row = find->bind(number).step();
    if (!row) return row.error();
    if (!*row) return std::optional<PatientId>{};
    return std::optional<PatientId>{PatientId{find->uuid(0)}};
}

Result<Person> make_patient(Transaction& txn, bool test_traffic) {
    const auto slot = txn.take_key_slot();
    if (!slot) return slot.error();
    auto insert = txn.prepare("INSERT INTO patient (id, key_slot, status, test_traffic, created_at, updated_at, sealed)"
                              " VALUES (?, ?, ?, ?, ?, ?, x'')");
    if (!insert) return insert.error();
    Person person{0, PatientId::make(txn.now()), *slot, PatientStatus::active, test_traffic};
    CLINIC_TRY(
        insert->bind(person.id, *slot, static_cast<int>(person.status), test_traffic, txn.now(), txn.now()).run());
    person.row = txn.last_row();
    const RowKey key{.owner = person.id.uuid}; // nobody has said anything of who is new
    txn.keep(key, PatientRow{.row = person.row,
                             .key_slot = *slot,
                             .status = person.status,
                             .test_traffic = test_traffic,
                             .created_at = txn.now()});
    txn.keep(key, ConsentRows{});
    txn.keep(key, ContactLink{});
    return person;
}

Result<PatientFields> fields_of(Session& session, const Person& person) {
    auto find = session.prepare("SELECT sealed FROM patient WHERE row = ?");
    if (!find) return find.error();
    const auto row = find->bind(person.row).step();
    if (!row) return row.error();
    if (!*row) return Error{Errc::not_found, "no such patient"};
    const auto json = session.open_for(person.id, sealed_at, person.row, find->blob(0));
    if (!json) return json.error();
    return decode_patient(*json);
}

Result<void> keep_fields(Transaction& txn, const Person& person, const PatientFields& fields) {
    const auto json = encode(fields);
    if (!json) return json.error();
    const auto sealed = txn.seal_for(person.id, sealed_at, person.row, *json);
    if (!sealed) return sealed.error();
    auto update =
        txn.prepare("UPDATE patient SET sealed = ?, has_mobile = ?, has_email = ?, updated_at = ? WHERE row = ?");
    if (!update) return update.error();
    auto at_hand = txn.at_hand<PatientRow>({.owner = person.id.uuid});
    CLINIC_TRY(update->bind(*sealed, fields.has_mobile(), fields.has_email(), txn.now(), person.row).run());
    if (!at_hand) return {};
    at_hand->has_mobile = fields.has_mobile();
    at_hand->has_email = fields.has_email();
    txn.keep({.owner = person.id.uuid}, *at_hand);
    return {};
}

// `sql` takes kind, token and patient.
Result<void> with_each(Transaction& txn, Literal sql, PatientId patient, const std::vector<IndexEntry>& entries) {
    auto change = txn.prepare(sql);
    if (!change) return change.error();
    for (const auto& entry : entries) {
        const auto token = index_token(txn, entry.kind, entry.normal);
        CLINIC_TRY(change->bind(static_cast<int>(entry.kind), token, patient).run());
    }
    return {};
}

// Each token lies on a page of its own: those that stay are not touched.
Result<void> index_fields(Transaction& txn, const Person& person, const PatientFields& before,
                          const PatientFields& after) {
    const auto had = index_entries(before), has = index_entries(after);
    std::vector<IndexEntry> gone, added;
    std::ranges::set_difference(had, has, std::back_inserter(gone));
    std::ranges::set_difference(has, had, std::back_inserter(added));
    CLINIC_TRY(
        with_each(txn, "DELETE FROM patient_token WHERE kind = ? AND token = ? AND patient = ?", person.id, gone));
    CLINIC_TRY(with_each(txn, "INSERT INTO patient_token (kind, token, patient) VALUES (?, ?, ?)", person.id, added));
    return txn.identifiers().replace(txn, person.id, identifier_values(after));
}

// A number that leads to somebody else stays theirs. Answers how many did.
Result<int> claim_numbers(Transaction& txn, const Person& person, const PatientChange& change, const Disclosure& why) {
    auto insert = txn.prepare("INSERT INTO identifier (token, patient) VALUES (?, ?) ON CONFLICT (token) DO NOTHING");
    if (!insert) return insert.error();
    int elsewhere = 0;
    for (const auto& identifier : change.identifiers) {
        const std::string value = trimmed(reveal(identifier.value, why));
        if (value.empty() || !identifies_person(identifier.type)) continue;
        const auto token = number_token(txn, identifier.name_space, value, person.test_traffic);
        CLINIC_TRY(insert->bind(token, person.id).run());
        if (txn.changed_rows() > 0) continue;
        const auto owner = patient_of(txn, token);
        if (!owner) return owner.error();
        if (*owner != person.id) ++elsewhere;
    }
    return elsewhere;
}

// A cancellation stays in the table, so that the visit it takes back does not count when it is told of later. Without a
// time it means the latest visit; said late, the latest one of that time.
Result<void> take_visit_back(Transaction& txn, const Person& person, const PatientChange& change, const Stamp& stamp,
                             bool stale) {
    if (change.visited_at) {
        auto put = txn.prepare("INSERT INTO visit (patient, at, taken_back) VALUES (?, ?, ?)"
                               " ON CONFLICT DO UPDATE SET taken_back = excluded.taken_back");
        if (!put) return put.error();
        return put->bind(person.id, *change.visited_at, stamp.said_at).run();
    }
    auto mark = txn.prepare("UPDATE visit SET taken_back = ?2 WHERE patient = ?1 AND at = (SELECT max(at) FROM visit"
                            " WHERE patient = ?1 AND taken_back IS NULL AND (NOT ?3 OR at <= ?2))");
    if (!mark) return mark.error();
    return mark->bind(person.id, stamp.said_at, stale).run();
}

Result<void> note_visit(Transaction& txn, const Person& person, const PatientChange& change, const Stamp& stamp,
                        bool stale) {
    if (change.visit_cancelled) return take_visit_back(txn, person, change, stamp, stale);
    if (!change.visited_at) return {};
    auto put = txn.prepare("INSERT INTO visit (patient, at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET taken_back = NULL"
                           " WHERE ?4 OR taken_back <= ?3");
    if (!put) return put.error();
    return put->bind(person.id, *change.visited_at, stamp.said_at, stamp.by_arrival).run();
}

Result<void> note_active(Transaction& txn, const Person& person, std::optional<bool> active) {
    if (!active) return {};
    const auto status = *active ? PatientStatus::active : PatientStatus::inactive;
    if (status == person.status) return {};
    auto update = txn.prepare("UPDATE patient SET status = ?, updated_at = ? WHERE row = ?");
    if (!update) return update.error();
    auto at_hand = txn.at_hand<PatientRow>({.owner = person.id.uuid});
    CLINIC_TRY(update->bind(static_cast<int>(status), txn.now(), person.row).run());
    if (!at_hand) return {};
    at_hand->status = status;
    txn.keep({.owner = person.id.uuid}, *at_hand);
    return {};
}

bool names_nobody(const PatientChange& change, const Disclosure& why) {
    return std::all_of(change.identifiers.begin(), change.identifiers.end(), [&why](const Identifier& identifier) {
        return trimmed(reveal(identifier.value, why)).empty() || !identifies_person(identifier.type);
    });
}

// A change that comes late takes nothing back of what was said after it, but a visit happened and a number is the
// person's whenever it is told. Answers how many of its numbers lead to somebody else.
Result<int> apply_change(Transaction& txn, const Disclosure& why, const Person& person, const PatientFields& before,
                         const PatientChange& change, const Stamp& stamp, bool stale) {
    PatientFields after = before;
    if (stale)
        add_numbers(after, change, why);
    else
        apply(after, change, why);
    if (after != before) {
        CLINIC_TRY(keep_fields(txn, person, after));
        CLINIC_TRY(index_fields(txn, person, before, after));
    }
    CLINIC_TRY(note_visit(txn, person, change, stamp, stale));
    if (!stale) CLINIC_TRY(note_active(txn, person, change.active));
    return claim_numbers(txn, person, change, why);
}

} // namespace

bool is_key_of(const crypto::SecureBytes& key, std::span<const std::byte> store, PatientId patient, std::int64_t row,
               std::span<const std::byte> sealed) {
    return crypto::is_authentic(key, sealed, bound_to(store, patient.uuid, sealed_at, row));
}

Result<std::optional<PatientId>> find_patient(Session& session, const Disclosure& why,
                                              std::span<const Identifier> identifiers, bool test_traffic) {
    for (const auto& identifier : identifiers) {
        const std::string value = trimmed(reveal(identifier.value, why));
        if (value.empty() || !identifies_person(identifier.type)) continue;
        auto found = patient_of(session, number_token(session, identifier.name_space, value, test_traffic));
        if (!found || *found) return found;
    }
    return std::optional<PatientId>{};
}

Result<Upserted> upsert_patient(Transaction& txn, const Disclosure& why, const PatientChange& change,
                                const Stamp& stamp, bool test_traffic) {
    if (!change.known && names_nobody(change, why)) return Error{Errc::malformed, "a patient without an identifier"};
    const auto found = change.known ? Result<std::optional<PatientId>>{change.known}
                                    : find_patient(txn, why, change.identifiers, test_traffic);
    if (!found) return found.error();
    const auto person = *found ? survivor_of(txn, **found) : make_patient(txn, test_traffic);
    if (!person) return person.error();
    Upserted upserted{person->id, !found->has_value()};

    const auto newer = advance_stamp(txn, person->id.uuid, stamp);
    if (!newer) return newer.error();
    upserted.stale = !*newer;
    const auto before = upserted.created ? Result<PatientFields>{PatientFields{}} : fields_of(txn, *person);
    if (!before) return before.error();
    const auto elsewhere = apply_change(txn, why, *person, *before, change, stamp, upserted.stale);
    if (!elsewhere) return elsewhere.error();
    upserted.numbers_elsewhere = *elsewhere;
    return upserted;
}

Result<void> index_again(Transaction& txn, const Disclosure&, PatientId patient) {
    auto find = txn.prepare("SELECT row, test_traffic FROM patient WHERE id = ? AND length(sealed) > 0");
    if (!find) return find.error();
    const auto row = find->bind(patient).step();
    if (!row) return row.error();
    if (!*row) return {}; // erased
    const Person person{find->integer(0), patient, 0, PatientStatus::active, find->integer(1) != 0};
    const auto fields = fields_of(txn, person);
    if (!fields) return fields.error();
    auto clear = txn.prepare("DELETE FROM patient_token WHERE patient = ?");
    if (!clear) return clear.error();
    CLINIC_TRY(clear->bind(patient).run());
    CLINIC_TRY(index_fields(txn, person, {}, *fields));
    auto claim = txn.prepare("INSERT INTO identifier (token, patient) VALUES (?, ?) ON CONFLICT (token) DO NOTHING");
    if (!claim) return claim.error();
    for (const auto& number : fields->identifiers)
        if (identifies_person(number.type))
            CLINIC_TRY(
                claim->bind(number_token(txn, number.name_space, number.value, person.test_traffic), patient).run());
    return {};
}

} // namespace clinic::records
