#include "daemon/crm/bookings.h"

#include "daemon/crm/states.h"
#include "daemon/outbox/sql.h"

namespace clinic::crm {
namespace {

using envelope::Booking;
using envelope::CrmAppointment;
using outbox::Beside;
using outbox::Besides;
using outbox::Held;
using outbox::Links;
using records::PatientId;
using records::Transaction;

constexpr int found_max = 16;
constexpr envelope::Kind of_bookings = envelope::Kind::booking_state;

// How far an appointment is.
int progress(Booking status) {
    switch (status) {
    case Booking::new_: return 0;
    case Booking::confirmed: return 1;
    case Booking::showed:
    case Booking::noshow:
    case Booking::cancelled:
    case Booking::invalid: break;
    }
    return 2;
}

// A booking that is confirmed in GHL is booked, and more the clinic does not say.
bool says_the_same(Booking ours, Booking theirs) {
    return ours == theirs || (ours == Booking::new_ && theirs == Booking::confirmed);
}

bool is_called_off(const CrmAppointment& theirs) {
    return theirs.status == Booking::cancelled || theirs.status == Booking::invalid;
}

std::string time_of(std::int64_t from, std::int64_t until) {
    return base::rfc3339(Timestamp{from * envelope::quarter_us}) + "/" +
           base::rfc3339(Timestamp{until * envelope::quarter_us});
}

Result<void> settle_all(Transaction& txn, std::int64_t row) {
    for (const Field field : {Field::booking_status, Field::booking_time, Field::booking_cancelled})
        CLINIC_TRY(settle(txn, row, field, "gone"));
    return {};
}

} // namespace

// Both sides of one booking.
struct BookingCheck::Pair {
    const Object& booking;
    PatientId patient;
    Besides ours;
    std::optional<release::BookingState> state; // nothing: the appointment is the patient's no more, or long over
    std::optional<release::BookingState> was;   // its time was corrected to one that is over, and GHL's stands to come
    const CrmAppointment* theirs() const { return std::get_if<CrmAppointment>(&booking.fact.said); } // null: deleted
    bool is_gone() const { return theirs() == nullptr || is_called_off(*theirs()); }
};

// What of them differs where both are told.
struct BookingCheck::Sides {
    bool status = false, time = false;
    bool ours_is_further = false; // of the status
};

Result<std::optional<release::FoundBooking>> find_booking(records::Session& session, std::string_view contact,
                                                          std::int64_t from_quarter) {
    const auto may_be_ours = Beside::a_booking_may_come(session, contact);
    CLINIC_TRY(may_be_ours);
    if (*may_be_ours) return std::optional<release::FoundBooking>{};
    std::vector<std::int64_t> rows;
    CLINIC_TRY(outbox::each_row(
        session,
        "SELECT row FROM crm_object INDEXED BY crm_object_contact WHERE contact = ? AND kind = ? AND from_quarter = ?"
        " ORDER BY row LIMIT ?",
        [&](const records::Statement& row) { rows.push_back(row.integer(0)); }, Links::contact_token(session, contact),
        outbox::number(envelope::CrmKind::appointment), from_quarter, found_max));
    for (const std::int64_t row : rows) {
        const auto booking = object_at(session, row);
        CLINIC_TRY(booking);
        const auto* as = *booking ? std::get_if<CrmAppointment>(&(*booking)->fact.said) : nullptr;
        if (as == nullptr) continue;
        const auto owner = Beside::owner_of(session, of_bookings, (*booking)->fact.id);
        CLINIC_TRY(owner);
        if (!*owner) return std::optional{release::FoundBooking{(*booking)->fact.id, *as}};
    }
    return std::optional<release::FoundBooking>{};
}

Result<void> BookingCheck::check(Transaction& txn, const Object& booking, bool news) const {
    if (!releaser_.booking_options().told) return {};
    auto owner = Beside::owner_of(txn, of_bookings, booking.fact.id);
    CLINIC_TRY(owner);
    std::optional<records::AppointmentId> found;
    const auto* theirs = std::get_if<CrmAppointment>(&booking.fact.said);
    if (!*owner) {
        if (theirs == nullptr || theirs->contact.empty() || is_called_off(*theirs)) return {};
        const auto may_be_ours = Beside::a_booking_may_come(txn, theirs->contact);
        CLINIC_TRY(may_be_ours);
        if (*may_be_ours) return {}; // the look-up tells, by its title
        const auto patients = Links::patients_of(txn, theirs->contact);
        CLINIC_TRY(patients);
        for (const PatientId patient : *patients) {
            const auto bound = releaser_.found_booking(txn, patient, {booking.fact.id, *theirs});
            CLINIC_TRY(bound);
            if (found = *bound; found) break;
        }
        if (!found) return {};
        owner = Beside::owner_of(txn, of_bookings, booking.fact.id);
        CLINIC_TRY(owner);
    }
    const PatientId patient = (*owner)->patient;
    auto ours = Beside::at(txn, patient, (*owner)->number);
    CLINIC_TRY(ours);
    if (ours->is_left()) return settle_all(txn, booking.row);
    const auto pair = pair_of(txn, booking, patient, std::move(*ours));
    CLINIC_TRY(pair);
    // What a booking says that has just been found is no difference but where it is further than the clinic's.
    const bool further = found && pair->state && progress(theirs->status) > progress(pair->state->status) &&
                         !says_the_same(pair->state->status, theirs->status);
    if (!found || further) CLINIC_TRY(compare(txn, *pair, news));
    return found ? releaser_.changed(txn, patient, found) : Result<void>{};
}

Result<BookingCheck::Pair> BookingCheck::pair_of(Transaction& txn, const Object& booking, PatientId patient,
                                                 Besides ours) {
    const auto stored = records::appointment_facts(txn, patient, *ours.appointment);
    CLINIC_TRY(stored);
    Pair pair{booking, patient, std::move(ours), {}, {}};
    if (!*stored) return pair;
    const auto* theirs = pair.theirs();
    pair.state = release::booking_of(**stored, txn.now());
    if (!pair.state && theirs != nullptr && release::stands(theirs->status))
        pair.was = release::booking_shown(**stored, {theirs->from_quarter, theirs->until_quarter}, txn.now());
    return pair;
}

// Nothing of ours is on its way, and GHL would show what has arrived.
Result<bool> BookingCheck::shows_our_newest(Transaction& txn, const Pair& pair) const {
    const auto said = outbox::Outbox::last_said_of(txn, pair.patient, of_bookings, pair.ours.number);
    CLINIC_TRY(said);
    if (said->content.empty() || said->waits()) return false;
    const auto newest = outbox::Ledger::newest_write(txn, pair.patient, of_bookings);
    CLINIC_TRY(newest);
    if (!*newest) return true;
    const auto& fact = pair.booking.fact;
    return fact.updated_ms * 1'000 >= (*newest)->micros ||
           Timestamp{fact.read_ms * 1'000} >= **newest + base::Micros{index_lag_};
}

// True: it is to be written again.
Result<bool> BookingCheck::differ(Transaction& txn, const Pair& pair, Field field, bool by_rule, std::string_view ours,
                                  std::string_view theirs) const {
    if (by_rule) return record_to_write_again(txn, pair.booking.row, {field, std::string{ours}, std::string{theirs}});
    CLINIC_TRY(record(txn, pair.booking.row, field, ours, theirs, Settled::open));
    return false;
}

// The clinic's is no booking that is told any more, or both have called it off, or no round would see it where it
// belongs: one that is missing there is taken for gone, and one that stands nearer was moved there in GHL.
bool BookingCheck::is_over(const Pair& pair, Timestamp now) {
    if (!pair.state) return true;
    const auto is_far = [&](std::int64_t from_quarter) {
        return Timestamp{from_quarter * envelope::quarter_us} > now + release::bookings_ahead;
    };
    if (pair.is_gone()) return is_far(pair.state->from) || pair.state->status == Booking::cancelled;
    return is_far(pair.state->from) && is_far(pair.theirs()->from_quarter);
}

BookingCheck::Sides BookingCheck::sides_of(const Pair& pair) const {
    const auto& state = *pair.state;
    const auto& theirs = *pair.theirs();
    const bool same_end =
        !releaser_.booking_options().create || state.end_is_guessed || theirs.until_quarter == state.until;
    return {.status = !says_the_same(state.status, theirs.status),
            .time = release::stands(state.status) && !(theirs.from_quarter == state.from && same_end),
            .ours_is_further = progress(state.status) == 2 || progress(state.status) > progress(theirs.status)};
}

// What is done about it: `again`: it is to be written once more; `waits`: a person is asked first.
Result<BookingCheck::Outcome> BookingCheck::differences(Transaction& txn, const Pair& pair) const {
    Outcome out;
    const auto& state = *pair.state;
    const auto* theirs = pair.theirs();
    if (theirs == nullptr) return out;
    const Sides sides = sides_of(pair);
    if (!sides.status) {
        CLINIC_TRY(settle(txn, pair.booking.row, Field::booking_status, "gone"));
    } else {
        const auto by_rule =
            differ(txn, pair, Field::booking_status, sides.ours_is_further, name(state.status), name(theirs->status));
        CLINIC_TRY(by_rule);
        (*by_rule ? out.again : out.waits) = true;
    }
    if (!sides.time) {
        CLINIC_TRY(settle(txn, pair.booking.row, Field::booking_time, "gone"));
        return out;
    }
    const bool moves = releaser_.booking_options().create;
    const auto by_rule = differ(txn, pair, Field::booking_time, moves, time_of(state.from, state.until),
                                time_of(theirs->from_quarter, theirs->until_quarter));
    CLINIC_TRY(by_rule);
    out.again = out.again || *by_rule;
    out.waits = out.waits || (moves && !*by_rule);
    return out;
}

Result<bool> BookingCheck::is_called_off_by_us(Transaction& txn, const Pair& pair) {
    const auto said = outbox::Outbox::last_said_of(txn, pair.patient, of_bookings, pair.ours.number);
    CLINIC_TRY(said);
    const auto under_way = outbox::Outbox::under_way(txn, pair.patient, of_bookings, pair.ours.number);
    CLINIC_TRY(under_way);
    const auto calls_off = [](const std::string& content) { return release::says(content, Booking::cancelled); };
    return pair.theirs() != nullptr &&
           (calls_off(said->content) || calls_off(said->queued_content) || calls_off(*under_way));
}

// It is called off in GHL while the clinic's appointment stands: what waits of ours is held before it undoes that.
// Where a write of ours was under way and came after it, the next round shows that it stands.
Result<void> BookingCheck::called_off(Transaction& txn, const Pair& pair, bool news, bool sure) const {
    const auto by_us = is_called_off_by_us(txn, pair);
    CLINIC_TRY(by_us);
    if (*by_us) { // also where it was taken for theirs before our own was settled
        CLINIC_TRY(settle(txn, pair.booking.row, Field::booking_cancelled, "gone"));
        return pair.ours.held == Held::waits ? Beside::hold(txn, pair.patient, pair.ours.number, Held::no)
                                             : Result<void>{};
    }
    if (!(news || sure)) return {};
    CLINIC_TRY(differ(txn, pair, Field::booking_cancelled, false, name(pair.state->status),
                      pair.theirs() == nullptr ? "deleted" : name(pair.theirs()->status)));
    return Beside::hold(txn, pair.patient, pair.ours.number, Held::waits);
}

// We have called it off though the clinic's stands, or is further: of whom nothing may be told nothing is compared.
Result<bool> BookingCheck::is_taken_back(Transaction& txn, const Pair& pair) {
    if (!pair.state || pair.state->status == Booking::cancelled) return false;
    const auto said = outbox::Outbox::last_said_of(txn, pair.patient, of_bookings, pair.ours.number);
    CLINIC_TRY(said);
    return !said->waits() && release::says(said->content, Booking::cancelled);
}

Result<void> BookingCheck::compare(Transaction& txn, const Pair& pair, bool news) const {
    const std::int64_t number = pair.ours.number;
    if (pair.ours.held == Held::by_ghl && !news) return {}; // a person has decided, and nothing has changed there since
    const auto taken_back = is_taken_back(txn, pair);
    CLINIC_TRY(taken_back);
    if (!*taken_back && pair.was && !releaser_.booking_options().create) { // no time is told
        const auto asked = differ(txn, pair, Field::booking_time, false, time_of(pair.was->from, pair.was->until),
                                  time_of(pair.theirs()->from_quarter, pair.theirs()->until_quarter));
        return asked ? Result<void>{} : asked.error();
    }
    if (*taken_back || is_over(pair, txn.now())) {
        CLINIC_TRY(settle_all(txn, pair.booking.row));
        return pair.booking.fact.deleted() ? Beside::lost(txn, pair.patient, number)
                                           : Beside::hold(txn, pair.patient, number, Held::no);
    }
    const auto sure = shows_our_newest(txn, pair);
    CLINIC_TRY(sure);
    if (pair.is_gone() && release::stands(pair.state->status)) return called_off(txn, pair, news, *sure);
    if (!*sure) return {};
    CLINIC_TRY(settle(txn, pair.booking.row, Field::booking_cancelled, "gone"));
    const auto found = differences(txn, pair);
    CLINIC_TRY(found);
    CLINIC_TRY(Beside::hold(txn, pair.patient, number, found->waits ? Held::waits : Held::no));
    if (found->waits) return {};
    if (found->again) return releaser_.say_booking_again(txn, pair.patient, number);
    // What was not said while it was held.
    return pair.ours.held == Held::no ? Result<void>{} : releaser_.changed(txn, pair.patient, pair.ours.appointment);
}

Result<void> BookingCheck::check_again(Transaction& txn, const std::vector<std::int64_t>& rows) const {
    if (!releaser_.booking_options().told) return {};
    for (const std::int64_t row : rows) {
        const auto booking = object_at(txn, row);
        CLINIC_TRY(booking);
        if (*booking) CLINIC_TRY(check(txn, **booking, false));
    }
    return {};
}

// As `compare` looks at it.
Result<BookingCheck::Against> BookingCheck::stands(Transaction& txn, const Pair& pair) const {
    Against out;
    const bool creates = releaser_.booking_options().create;
    const auto taken_back = is_taken_back(txn, pair);
    CLINIC_TRY(taken_back);
    out.person = !*taken_back && pair.was && !creates;
    if (*taken_back || out.person || is_over(pair, txn.now())) return out;
    const auto said = outbox::Outbox::last_said_of(txn, pair.patient, of_bookings, pair.ours.number);
    CLINIC_TRY(said);
    if (said->is_empty()) return out;
    if (pair.theirs() == nullptr) { // nothing that is deleted comes back
        out.person = release::stands(pair.state->status);
        return out;
    }
    const auto sure = shows_our_newest(txn, pair);
    CLINIC_TRY(sure);
    out.sure = *sure;
    if (pair.is_gone() && release::stands(pair.state->status)) {
        const auto by_us = is_called_off_by_us(txn, pair);
        CLINIC_TRY(by_us);
        out.sure = !*by_us && (*sure || pair.ours.held == Held::waits);
        out.person = out.sure;
    } else if (*sure) {
        const Sides sides = sides_of(pair);
        out.person = (sides.status && !sides.ours_is_further) || (sides.time && !creates);
        out.clinic = !out.person && (sides.status || sides.time);
    }
    return out;
}

// Each of the patient's that GHL has shown.
Result<void> BookingCheck::each_of(Transaction& txn, PatientId patient,
                                   const std::function<Result<void>(const Pair&)>& look) const {
    if (!releaser_.booking_options().told) return {};
    auto all = Beside::all(txn, patient);
    CLINIC_TRY(all);
    for (Besides& one : *all) {
        if (one.kind != of_bookings || one.object.empty() || one.is_left() || one.held == Held::by_ghl) continue;
        const auto booking = find(txn, envelope::CrmKind::appointment, one.object);
        CLINIC_TRY(booking);
        if (!*booking) continue;
        const auto pair = pair_of(txn, **booking, patient, std::move(one));
        CLINIC_TRY(pair);
        CLINIC_TRY(look(*pair));
    }
    return {};
}

Result<void> BookingCheck::check_of(Transaction& txn, PatientId patient) const {
    return each_of(txn, patient, [&](const Pair& pair) { return check(txn, pair.booking, false); });
}

Result<BookingCheck::Against> BookingCheck::against(Transaction& txn, PatientId patient) const {
    Against out;
    CLINIC_TRY(each_of(txn, patient, [&](const Pair& pair) -> Result<void> {
        const auto one = stands(txn, pair);
        CLINIC_TRY(one);
        out.clinic = out.clinic || one->clinic;
        out.person = out.person || one->person;
        out.sure = out.sure && one->sure;
        return {};
    }));
    return out;
}

Result<bool> BookingCheck::say_again(Transaction& txn, PatientId patient) const {
    bool out = false;
    CLINIC_TRY(each_of(txn, patient, [&](const Pair& pair) -> Result<void> {
        const auto one = stands(txn, pair);
        CLINIC_TRY(one);
        if (!one->clinic && one->sure) return {};
        if (one->clinic) {
            CLINIC_TRY(Beside::hold(txn, patient, pair.ours.number, Held::no));
            for (const Field field : {Field::booking_status, Field::booking_time})
                CLINIC_TRY(settle(txn, pair.booking.row, field, "clinic"));
            CLINIC_TRY(releaser_.say_booking_again(txn, patient, pair.ours.number));
        }
        const auto said = outbox::Outbox::last_said_of(txn, patient, of_bookings, pair.ours.number);
        CLINIC_TRY(said);
        out = out || said->waits();
        return {};
    }));
    return out;
}

Result<std::vector<PatientId>> BookingCheck::decided(Transaction& txn, const Object& booking, const Conflict& conflict,
                                                     bool for_ghl) const {
    const auto owner = Beside::owner_of(txn, of_bookings, booking.fact.id);
    CLINIC_TRY(owner);
    if (!*owner || !is_of_bookings(conflict.field)) return std::vector<PatientId>{};
    const auto [patient, number] = **owner;
    const auto one = Beside::at(txn, patient, number);
    CLINIC_TRY(one);
    if (one->is_left()) return std::vector{patient};
    CLINIC_TRY(Beside::hold(txn, patient, number, for_ghl ? Held::by_ghl : Held::no));
    if (for_ghl) return std::vector{patient};
    if (!booking.fact.deleted()) {
        CLINIC_TRY(releaser_.say_booking_again(txn, patient, number));
        return std::vector{patient};
    }
    CLINIC_TRY(Beside::lost(txn, patient, number)); // a new one, where they are made
    CLINIC_TRY(releaser_.changed(txn, patient, one->appointment));
    return std::vector{patient};
}

} // namespace clinic::crm
