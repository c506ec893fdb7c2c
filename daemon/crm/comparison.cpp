#include "daemon/crm/comparison.h"

#include <algorithm>

#include "daemon/crm/emptied.h"
#include "daemon/crm/own_cases.h"
#include "daemon/outbox/beside.h"
#include "daemon/outbox/sql.h"
#include "daemon/records/patients.h"

namespace clinic::crm {
namespace {

using envelope::CrmContact;
using envelope::Destination;
using envelope::Kind;
using outbox::each_row;
using outbox::execute;
using outbox::first_row;
using outbox::Links;
using outbox::Outbox;
using records::PatientId;
using records::Session;
using records::Statement;
using records::Transaction;

constexpr std::array names{"fields", "tags",  "do_not_disturb", "marker", "gone",
                           "orphan", "twice", "opportunity",    "booking"};
static_assert(names.size() == every_kind.size());
constexpr std::string_view emptied = "archived"; // ce_stage of a contact that says nothing of anybody any more
constexpr int looked_at_once = 20;

bool has_tag(const CrmContact& contact, std::string_view word) {
    return std::ranges::any_of(contact.tags, [&](const envelope::Word& tag) { return tag.text() == word; });
}

bool is_none(const std::string& value) {
    return value.empty() || value == "none";
}

bool only_stop(const CrmContact& contact) {
    return contact.tags.size() == (has_tag(contact, "do_not_contact") ? 1U : 0U);
}

// As a merge leaves a contact; do-not-contact may stand there, of a suppression before it or after it.
Kinds against_emptying(const CrmContact& theirs) {
    Kinds kinds;
    if (!theirs.dnd) kinds.add(Differs::do_not_disturb);
    if (!only_stop(theirs)) kinds.add(Differs::tags);
    if (theirs.stage != emptied || !is_none(theirs.last) || !is_none(theirs.next) || !is_none(theirs.appt_status) ||
        !is_none(theirs.appt_when))
        kinds.add(Differs::fields);
    return kinds;
}

Kinds against_suppression(const CrmContact& theirs) {
    Kinds kinds = against_emptying(theirs);
    if (!has_tag(theirs, "do_not_contact")) kinds.add(Differs::do_not_disturb);
    return kinds;
}

// A marker is the patient's own, or that of one who was merged into them; a contact that we made carries one.
Result<bool> marker_fits(Transaction& txn, const CrmContact& theirs, PatientId patient) {
    if (theirs.pid.empty()) {
        const auto ours = Links::is_ours(txn, patient);
        CLINIC_TRY(ours);
        return !*ours;
    }
    const auto named = Links::patient_by_pid(txn, theirs.pid);
    CLINIC_TRY(named);
    if (!*named || **named == patient) return named->has_value();
    const auto facts = records::patient_facts(txn, **named);
    if (!facts && facts.error().code == Errc::not_found) return false;
    CLINIC_TRY(facts);
    return facts->merged_into == patient;
}

Result<void> bookings_agree(Transaction& txn, std::int64_t row) {
    return execute(txn,
                   "UPDATE crm_object SET differs = differs & ~?1,"
                   " differs_since = CASE WHEN differs & ~?1 THEN differs_since END WHERE row = ?2",
                   Kinds::bit(Differs::booking), row);
}

} // namespace

const char* name(Differs kind) {
    return names.at(static_cast<std::size_t>(kind));
}

std::optional<Differs> differs(std::string_view name) {
    const auto* found = std::ranges::find(names, name);
    return found == names.end() ? std::nullopt
                                : std::optional{every_kind.at(static_cast<std::size_t>(found - names.begin()))};
}

Result<bool> is_told(Session& session, PatientId patient) {
    const auto facts = records::patient_facts(session, patient);
    if (!facts && facts.error().code == Errc::not_found) return false;
    CLINIC_TRY(facts);
    const bool real =
        facts->status == records::PatientStatus::active || facts->status == records::PatientStatus::inactive;
    return real && !facts->test_traffic;
}

Result<bool> something_waits(Session& session, PatientId patient) {
    for (const Kind kind : {Kind::contact_state, Kind::appt_state, Kind::contact_suppress}) {
        const auto said = Outbox::last_said(session, Destination::crm, patient, kind);
        CLINIC_TRY(said);
        if (said->waits()) return true;
    }
    return a_merge_waits(session, patient);
}

// It was changed after our newest write, or read so long after it that GHL's search shows it.
Result<Comparison::Shown> Comparison::shown(Transaction& txn, const Object& contact, PatientId patient) const {
    const auto newest = newest_write(txn, patient);
    CLINIC_TRY(newest);
    return shown_since(txn, contact, *newest);
}

Result<Comparison::Shown> Comparison::shown_since(Transaction& txn, const Object& object,
                                                  std::optional<Timestamp> newest) const {
    if (!newest) return Shown::yes;
    const std::int64_t wrote_ms = newest->micros / 1'000, from_ms = wrote_ms + index_lag_.count();
    if (object.fact.updated_ms > wrote_ms || object.fact.read_ms >= from_ms) return Shown::yes;
    return txn.now().micros / 1'000 >= from_ms ? Shown::if_read_now : Shown::not_yet;
}

Result<Comparison::Found> Comparison::of_patient(Transaction& txn, const Object& contact, PatientId patient) const {
    const auto told = is_told(txn, patient);
    CLINIC_TRY(told);
    if (!*told) return Found{};
    const auto seen = shown(txn, contact, patient);
    CLINIC_TRY(seen);
    if (*seen != Shown::yes) return Found{.kinds = {}, .sure = false};
    const auto& theirs = std::get<CrmContact>(contact.fact.said);
    const auto against = compared(txn, theirs, patient);
    CLINIC_TRY(against);
    const auto suppressed = Outbox::last_said(txn, Destination::crm, patient, Kind::contact_suppress);
    CLINIC_TRY(suppressed);
    if (!against->sure || suppressed->unsure || suppressed->waits()) return Found{.kinds = {}, .sure = false};
    Found out;
    if (!suppressed->content.empty()) out.kinds = against_suppression(theirs);
    for (const auto& one : against->differences)
        out.kinds.add(one.field == Field::tags ? Differs::tags : Differs::fields);
    const auto fits = marker_fits(txn, theirs, patient);
    CLINIC_TRY(fits);
    const auto before = marked_before(txn, theirs, patient);
    CLINIC_TRY(before);
    if (*before) {
        const auto waits = a_merge_waits(txn, **before);
        CLINIC_TRY(waits);
        out.sure = !*waits;
    }
    // Of whom nothing is said, no merge is told: the marker waits until they are told again.
    if (!*fits || (*before && suppressed->content.empty())) out.kinds.add(Differs::marker);
    CLINIC_TRY(add_case(txn, patient, out));
    CLINIC_TRY(add_bookings(txn, patient, out));
    return out;
}

Result<Comparison::Found> Comparison::of_merged(Transaction& txn, const Object& contact, PatientId prior) const {
    const auto seen = shown(txn, contact, prior);
    CLINIC_TRY(seen);
    const auto waits = something_waits(txn, prior);
    CLINIC_TRY(waits);
    if (*waits || *seen != Shown::yes) return Found{.kinds = {}, .sure = false};
    return Found{.kinds = against_emptying(std::get<CrmContact>(contact.fact.said))};
}

Result<void> Comparison::add_case(Transaction& txn, PatientId patient, Found& out) const {
    if (pipeline_.id.empty()) return {};
    const auto number = outbox::Beside::known(txn, patient, Kind::case_state);
    CLINIC_TRY(number);
    if (!*number) return {};
    const auto one = outbox::Beside::at(txn, patient, **number);
    CLINIC_TRY(one);
    if (one->object.empty()) return {};
    const auto seen = find(txn, envelope::CrmKind::opportunity, one->object);
    CLINIC_TRY(seen);
    if (!*seen) return {}; // no round has read it yet
    const auto newest = outbox::Ledger::newest_write(txn, patient, Kind::case_state);
    CLINIC_TRY(newest);
    const auto when = shown_since(txn, **seen, *newest);
    CLINIC_TRY(when);
    const auto against = compared_case(txn, (*seen)->fact, patient, **number, pipeline_);
    CLINIC_TRY(against);
    if (!against->sure || (*when != Shown::yes && !(*seen)->fact.deleted())) {
        out.sure = false;
        return {};
    }
    if (!against->differences.empty()) out.kinds.add(Differs::opportunity);
    return {};
}

Result<void> Comparison::add_bookings(Transaction& txn, PatientId patient, Found& out) const {
    const auto against = bookings_.against(txn, patient);
    CLINIC_TRY(against);
    out.sure = out.sure && against->sure;
    if (against->clinic || against->person) out.kinds.add(Differs::booking);
    return {};
}

// It carries a marker of ours, and no link leads to it. Where a create of ours may just have made it, that is told by
// what becomes of the create.
Result<Comparison::Found> Comparison::of_nobody(Transaction& txn, const Object& contact) const {
    Found out;
    const auto& theirs = std::get<CrmContact>(contact.fact.said);
    if (theirs.pid.empty() || contact.matching == Matching::kept_apart) return out;
    const auto marked = Links::patient_by_pid(txn, theirs.pid);
    CLINIC_TRY(marked);
    const bool says_something = against_emptying(theirs).holds(Differs::fields) || !only_stop(theirs);
    if (!*marked) {
        if (says_something) out.kinds.add(Differs::orphan);
        return out;
    }
    const auto known = Links::contact(txn, **marked);
    CLINIC_TRY(known);
    if (!known->empty()) {
        out.kinds.add(Differs::twice);
        return out;
    }
    const auto unsure = Links::create_is_unsure(txn, **marked);
    CLINIC_TRY(unsure);
    out.sure = !*unsure;
    if (says_something) out.kinds.add(Differs::orphan);
    return out;
}

Result<Comparison::Found> Comparison::kinds_of(Transaction& txn, const Object& contact) const {
    const auto patients = Links::patients_of(txn, contact.fact.id);
    CLINIC_TRY(patients);
    if (contact.fact.deleted()) {
        Found out;
        if (!patients->empty()) out.kinds.add(Differs::gone);
        return out;
    }
    if (patients->empty()) return of_nobody(txn, contact);
    Found out;
    for (const PatientId patient : *patients) {
        const auto to_be_empty = is_to_be_empty(txn, patient, *patients);
        CLINIC_TRY(to_be_empty);
        const auto one = *to_be_empty ? of_merged(txn, contact, patient) : of_patient(txn, contact, patient);
        CLINIC_TRY(one);
        out.kinds.bits |= one->kinds.bits;
        out.sure = out.sure && one->sure;
    }
    return out;
}

Result<void> Comparison::compare(Transaction& txn, const Object& object) const {
    if (object.fact.kind == envelope::CrmKind::contact) return compare_contact(txn, object);
    const bool is_case = object.fact.kind == envelope::CrmKind::opportunity && !pipeline_.id.empty();
    if (!is_case && object.fact.kind != envelope::CrmKind::appointment) return {};
    const auto owner = outbox::Beside::owner_of(txn, is_case ? Kind::case_state : Kind::booking_state, object.fact.id);
    CLINIC_TRY(owner);
    if (!*owner) return {};
    const auto contact = Links::contact(txn, (*owner)->patient);
    CLINIC_TRY(contact);
    if (contact->empty()) return {};
    const auto known = find(txn, envelope::CrmKind::contact, *contact);
    CLINIC_TRY(known);
    return *known ? compare_contact(txn, **known) : Result<void>{};
}

Result<void> Comparison::compare_contact(Transaction& txn, const Object& contact) const {
    const auto found = kinds_of(txn, contact);
    CLINIC_TRY(found);
    if (!found->sure) return {};
    if (found->kinds.bits == 0) return agree(txn, contact.row);
    return execute(txn, "UPDATE crm_object SET differs = ?, differs_since = coalesce(differs_since, ?) WHERE row = ?",
                   found->kinds.bits, txn.now(), contact.row);
}

Result<void> Comparison::compare_bookings_again(Transaction& txn, std::int64_t& after) const {
    const auto rows = differing(txn, Differs::booking, after, looked_at_once);
    CLINIC_TRY(rows);
    for (const auto& one : *rows) {
        const auto contact = object_at(txn, one.row);
        CLINIC_TRY(contact);
        if (!*contact) continue;
        const auto patients = Links::patients_of(txn, (*contact)->fact.id);
        CLINIC_TRY(patients);
        bool agrees = true;
        for (const PatientId patient : *patients) {
            CLINIC_TRY(bookings_.check_of(txn, patient));
            const auto against = bookings_.against(txn, patient);
            CLINIC_TRY(against);
            agrees = agrees && against->sure && !against->clinic && !against->person;
        }
        if (agrees) CLINIC_TRY(bookings_agree(txn, one.row));
    }
    after = rows->size() < static_cast<std::size_t>(looked_at_once) ? 0 : rows->back().row;
    return {};
}

Result<std::string> Comparison::to_look_at(Transaction& txn, std::int64_t& after) const {
    std::vector<std::int64_t> rows;
    CLINIC_TRY(each_row(
        txn,
        "SELECT row FROM crm_object INDEXED BY crm_object_differs WHERE differs != 0 AND row > ? ORDER BY row LIMIT ?",
        [&](const Statement& row) { rows.push_back(row.integer(0)); }, after, looked_at_once));
    for (const std::int64_t row : rows) {
        after = row;
        const auto contact = object_at(txn, row);
        CLINIC_TRY(contact);
        if (!*contact || (*contact)->fact.deleted()) continue;
        const auto patients = Links::patients_of(txn, (*contact)->fact.id);
        CLINIC_TRY(patients);
        for (const PatientId patient : *patients) {
            const auto waits = something_waits(txn, patient);
            CLINIC_TRY(waits);
            const auto seen = shown(txn, **contact, patient);
            CLINIC_TRY(seen);
            if (!*waits && *seen == Shown::if_read_now) return (*contact)->fact.id;
        }
    }
    if (rows.size() < static_cast<std::size_t>(looked_at_once)) after = 0;
    return std::string{};
}

Result<Counts> count_differing(Session& session) {
    Counts out;
    CLINIC_TRY(each_row(session, "SELECT differs FROM crm_object INDEXED BY crm_object_differs WHERE differs != 0",
                        [&](const Statement& row) {
                            const Kinds kinds{row.integer(0)};
                            ++out.contacts;
                            for (const Differs kind : every_kind)
                                out.of.at(static_cast<std::size_t>(kind)) += kinds.holds(kind) ? 1 : 0;
                        }));
    return out;
}

Result<std::vector<Differing>> differing(Session& session, Differs kind, std::int64_t after, int rows_max) {
    std::vector<Differing> out;
    CLINIC_TRY(each_row(
        session,
        "SELECT row, differs FROM crm_object INDEXED BY crm_object_differs"
        " WHERE differs != 0 AND row > ? AND (differs & ?) != 0 ORDER BY row LIMIT ?",
        [&](const Statement& row) {
            out.push_back({row.integer(0), {row.integer(1)}});
        },
        after, Kinds::bit(kind), rows_max));
    return out;
}

Result<void> gone(Transaction& txn, std::string_view contact) {
    const auto linked = Links::patients_of(txn, contact);
    CLINIC_TRY(linked);
    if (linked->empty()) return {};
    const auto known = find(txn, envelope::CrmKind::contact, contact);
    CLINIC_TRY(known);
    const auto full = is_full(txn);
    CLINIC_TRY(full);
    if (!*known && *full) return {}; // that there is no room is said
    const auto row = *known ? Result<std::int64_t>{(*known)->row}
                            : put(txn, std::nullopt,
                                  {.id = std::string{contact},
                                   .kind = envelope::CrmKind::contact,
                                   .updated_ms = 0,
                                   .read_ms = 0,
                                   .said = CrmContact{}});
    CLINIC_TRY(row);
    return execute(txn, "UPDATE crm_object SET differs = ?, differs_since = coalesce(differs_since, ?) WHERE row = ?",
                   Kinds::bit(Differs::gone), txn.now(), *row);
}

Result<bool> is_gone(Session& session, std::int64_t row) {
    Kinds kinds;
    CLINIC_TRY(first_row(
        session, "SELECT differs FROM crm_object WHERE row = ?",
        [&](const Statement& found) { kinds.bits = found.integer(0); }, row));
    return kinds.holds(Differs::gone);
}

Result<void> agree(Transaction& txn, std::int64_t row) {
    return execute(txn, "UPDATE crm_object SET differs = 0, differs_since = NULL WHERE row = ? AND differs != 0", row);
}

Result<void> forget_unseen(Transaction& txn, std::int64_t read_before_ms) {
    return execute(txn,
                   "UPDATE crm_object INDEXED BY crm_object_differs SET differs = 0, differs_since = NULL"
                   " WHERE differs != 0 AND read_ms < ?"
                   " AND NOT EXISTS (SELECT 1 FROM link WHERE link.token = crm_object.contact)",
                   read_before_ms);
}

} // namespace clinic::crm
