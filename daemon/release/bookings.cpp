#include "daemon/release/bookings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/audit/trail.h"
#include "daemon/outbox/beside.h"
#include "daemon/records/patients.h"

namespace clinic::release {
namespace {

using envelope::Booking;
using envelope::Destination;
using envelope::Field;
using envelope::Kind;
using envelope::MetadataEnvelope;
using outbox::Beside;
using outbox::Besides;
using outbox::Held;
using outbox::LastSaid;
using outbox::Links;
using records::AppointmentId;
using records::AppointmentStatus;

Booking booking_status(AppointmentStatus status) {
    switch (status) {
    case AppointmentStatus::requested:
    case AppointmentStatus::booked:
    case AppointmentStatus::rescheduled: return Booking::new_;
    case AppointmentStatus::confirmed: return Booking::confirmed;
    case AppointmentStatus::arrived:
    case AppointmentStatus::completed: return Booking::showed;
    case AppointmentStatus::no_show: return Booking::noshow;
    case AppointmentStatus::cancelled:
    case AppointmentStatus::entered_in_error: return Booking::cancelled;
    }
    return Booking::cancelled;
}

std::optional<std::pair<std::int64_t, std::int64_t>> slot_in(const std::string& content) {
    if (content.empty()) return std::nullopt;
    const auto parsed = base::parse_json(content, envelope::envelope_bytes_max, 2);
    if (!parsed || !parsed->contains("from")) return std::nullopt;
    return std::pair{parsed->value("from", std::int64_t{0}), parsed->value("until", std::int64_t{0})};
}

// "booked" says no more than that it stands: a confirmation in GHL is not taken back by it, unless its time moves.
bool is_confirmed_at_that_time(const std::string& content, const MetadataEnvelope& envelope) {
    if (envelope.text(Field::booking) != name(Booking::new_) || !says(content, Booking::confirmed)) return false;
    const auto slot = envelope.slot();
    return !slot || slot_in(content) == slot;
}

// An end that the clinic does not say changes none that stands there.
std::int64_t until_of(const BookingState& state, const std::string& said) {
    const auto slot = slot_in(said);
    return state.end_is_guessed && slot && slot->first == state.from ? slot->second : state.until;
}

std::optional<BookingState> booking_of_any(const records::AppointmentFacts& appointment, Timestamp now) {
    if (!appointment.start) return std::nullopt;
    const Timestamp start = *appointment.start;
    const Timestamp end = std::max(appointment.end.value_or(start + appointment_without_end), start + base::Micros{1});
    BookingState out{.appointment = appointment.id, .status = booking_status(appointment.status)};
    out.end_is_guessed = !appointment.end;
    out.from = start.micros / envelope::quarter_us;
    out.until = std::min((end.micros + envelope::quarter_us - 1) / envelope::quarter_us,
                         out.from + envelope::slot_quarters_max);
    if (out.until > envelope::quarter_max) return std::nullopt;
    out.ahead = stands(out.status) && end > now && start <= now + bookings_ahead;
    return out;
}

} // namespace

bool says(const std::string& content, Booking status) {
    const auto parsed = base::parse_json(content, envelope::envelope_bytes_max, 2);
    return parsed && parsed->value("booking", "") == name(status);
}

bool calls_off(const MetadataEnvelope& envelope) {
    return envelope.kind() == Kind::booking_state && !envelope.slot() &&
           envelope.text(Field::booking) == name(Booking::cancelled);
}

bool is_past(const std::pair<std::int64_t, std::int64_t>& slot, Timestamp now) {
    return Timestamp{slot.second * envelope::quarter_us} <= now;
}

bool is_over(const std::pair<std::int64_t, std::int64_t>& slot, Timestamp now) {
    return Timestamp{slot.second * envelope::quarter_us} < now - bookings_back;
}

bool stands(Booking status) {
    return status == Booking::new_ || status == Booking::confirmed;
}

std::optional<BookingState> booking_of(const records::AppointmentFacts& appointment, Timestamp now) {
    if (!appointment.start || *appointment.start < now - bookings_back) return std::nullopt;
    return booking_of_any(appointment, now);
}

std::optional<BookingState> booking_shown(const records::AppointmentFacts& appointment,
                                          const std::pair<std::int64_t, std::int64_t>& slot, Timestamp now) {
    return is_over(slot, now) ? booking_of(appointment, now) : booking_of_any(appointment, now);
}

std::vector<BookingState> bookings_of(const records::PatientFacts& facts, Timestamp now) {
    std::vector<BookingState> out;
    for (const auto& appointment : facts.appointments)
        if (const auto state = booking_of(appointment, now)) out.push_back(*state);
    return out;
}

Result<LastSaid> Bookings::last_said(std::int64_t number) {
    return outbox::Outbox::last_said_of(txn_, patient_, Kind::booking_state, number);
}

Result<MetadataEnvelope> Bookings::envelope_of(AppointmentId appointment, Booking status) {
    const auto aid = Links::aid(txn_, Destination::crm, patient_, appointment);
    CLINIC_TRY(aid);
    MetadataEnvelope envelope{Kind::booking_state};
    envelope.put(Field::aid, *aid).put(Field::booking, status);
    return envelope;
}

Result<void> Bookings::tell(const std::vector<BookingState>& states, const FindBooking& find, const std::string& site) {
    for (const BookingState& state : states) CLINIC_TRY(tell_one(state, find, site));
    return {};
}

Result<bool> Bookings::is_found(const BookingState& state, const FindBooking& find, const std::string& site) {
    if (!state.ahead || !find) return false;
    const auto contact = Links::contact(txn_, patient_);
    CLINIC_TRY(contact);
    if (contact->empty()) return false;
    const auto found = find(txn_, *contact, state.from);
    CLINIC_TRY(found);
    if (!*found) return false;
    CLINIC_TRY(bind(state, **found, site));
    return true;
}

Result<void> Bookings::tell_one(const BookingState& state, const FindBooking& find, const std::string& site) {
    auto number = Beside::known(txn_, patient_, Kind::booking_state, state.appointment);
    CLINIC_TRY(number);
    std::optional<Besides> one;
    const auto look = [&]() -> Result<void> {
        auto there = Beside::at(txn_, patient_, **number);
        CLINIC_TRY(there);
        one = std::move(*there);
        return {};
    };
    if (*number) CLINIC_TRY(look());
    if (!one || !one->may_be_there()) {
        const auto found = is_found(state, find, site);
        CLINIC_TRY(found);
        bool told = *found || (options_.create && state.ahead);
        if (!told && *number) { // one that waits to be made
            const auto said = last_said(**number);
            CLINIC_TRY(said);
            told = said->waits();
            if (told && is_past({state.from, state.until}, txn_.now())) return call_off(state.appointment, **number);
        }
        if (!told) return {};
        const auto made = Beside::number_of(txn_, patient_, Kind::booking_state, state.appointment);
        CLINIC_TRY(made);
        *number = *made;
        CLINIC_TRY(look());
    }
    if (one->held == Held::waits || (one->held == Held::by_ghl && state.status != Booking::cancelled)) return {};
    auto envelope = envelope_of(state.appointment, state.status);
    CLINIC_TRY(envelope);
    const auto said = last_said(one->number);
    CLINIC_TRY(said);
    if (options_.create && state.status != Booking::cancelled)
        envelope->put_slot(state.from, until_of(state, said->newest()));
    if (!said->unsure && is_confirmed_at_that_time(said->newest(), *envelope)) return {};
    return say_(std::move(*envelope), one->number);
}

Result<void> Bookings::call_off(AppointmentId appointment, std::int64_t number) {
    auto envelope = envelope_of(appointment, Booking::cancelled);
    CLINIC_TRY(envelope);
    return say_(std::move(*envelope), number);
}

Result<void> Bookings::tell_gone(AppointmentId appointment) {
    const auto number = Beside::known(txn_, patient_, Kind::booking_state, appointment);
    CLINIC_TRY(number);
    if (!*number) return {};
    const auto one = Beside::at(txn_, patient_, **number);
    CLINIC_TRY(one);
    const auto said = last_said(**number);
    CLINIC_TRY(said);
    if (!one->may_be_there() && !said->waits()) return {};
    return call_off(appointment, **number);
}

Result<std::optional<BookingState>> Bookings::shown_elsewhere(const records::AppointmentFacts& appointment) {
    using None = std::optional<BookingState>;
    const auto number = Beside::known(txn_, patient_, Kind::booking_state, appointment.id);
    CLINIC_TRY(number);
    if (!*number) return None{};
    const auto said = last_said(**number);
    CLINIC_TRY(said);
    const auto slot = slot_in(said->newest());
    return slot ? booking_shown(appointment, *slot, txn_.now()) : None{};
}

Result<void> Bookings::tell_by_itself(AppointmentId appointment, const FindBooking& find, const std::string& site) {
    const auto facts = records::appointment_facts(txn_, patient_, appointment);
    CLINIC_TRY(facts);
    if (!*facts) return tell_gone(appointment);
    auto state = booking_of(**facts, txn_.now());
    if (!state) {
        const auto elsewhere = shown_elsewhere(**facts);
        CLINIC_TRY(elsewhere);
        state = *elsewhere;
    }
    return state ? tell_one(*state, find, site) : Result<void>{};
}

Result<void> Bookings::tell_beyond(const records::PatientFacts& facts, const FindBooking& find,
                                   const std::string& site) {
    if (!facts.more_appointments) return {};
    const auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (const Besides& one : *all) {
        if (one.kind != Kind::booking_state || one.is_left()) continue;
        if (std::ranges::find(facts.appointments, *one.appointment, &records::AppointmentFacts::id) !=
            facts.appointments.end())
            continue;
        CLINIC_TRY(tell_by_itself(*one.appointment, find, site));
    }
    return {};
}

Result<void> Bookings::drop_past() {
    const auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (const Besides& one : *all) {
        if (one.kind != Kind::booking_state || one.may_be_there()) continue;
        const auto said = last_said(one.number);
        CLINIC_TRY(said);
        const auto slot = slot_in(said->queued_content);
        if (slot && is_past(*slot, txn_.now())) CLINIC_TRY(call_off(*one.appointment, one.number));
    }
    return {};
}

Result<void> Bookings::take_back() {
    const auto all = ours_to_come();
    CLINIC_TRY(all);
    for (const auto& [one, said] : *all) CLINIC_TRY(call_off(*one.appointment, one.number));
    return {};
}

Result<void> Bookings::close_left() {
    if (!options_.told) return {};
    const auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (const Besides& one : *all) {
        if (one.kind != Kind::booking_state || !one.is_left()) continue;
        const auto said = last_said(one.number);
        CLINIC_TRY(said);
        const auto slot = slot_in(said->newest());
        if (!one.unsure_since && slot && is_over(*slot, txn_.now()))
            CLINIC_TRY(Beside::forget(txn_, patient_, one));
        else
            CLINIC_TRY(call_off(*one.appointment, one.number));
    }
    return {};
}

Result<bool> Bookings::something_waits() {
    const auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (const Besides& one : *all) {
        if (one.kind != Kind::booking_state) continue;
        const auto said = last_said(one.number);
        CLINIC_TRY(said);
        if (said->waits()) return true;
    }
    return false;
}

// What is over is nobody's to disturb, and a later yes would not bring it back.
Result<std::vector<Bookings::Told>> Bookings::ours_to_come() {
    std::vector<Told> out;
    if (!options_.told) return out;
    auto all = Beside::all(txn_, patient_);
    CLINIC_TRY(all);
    for (Besides& one : *all) {
        if (one.kind != Kind::booking_state || !one.may_be_there() || !(one.ours || one.unsure_since)) continue;
        auto said = last_said(one.number);
        CLINIC_TRY(said);
        const auto slot = slot_in(said->newest());
        if (one.unsure_since || !slot || !is_over(*slot, txn_.now())) out.push_back({std::move(one), std::move(*said)});
    }
    return out;
}

Result<bool> Bookings::something_stands() {
    const auto all = ours_to_come();
    CLINIC_TRY(all);
    return std::ranges::any_of(*all, [](const Told& told) {
        return told.said.waits() || told.said.unsure || !says(told.said.content, Booking::cancelled);
    });
}

Result<void> Bookings::bind(const BookingState& state, const FoundBooking& found, const std::string& site) {
    const auto number = Beside::number_of(txn_, patient_, Kind::booking_state, state.appointment);
    CLINIC_TRY(number);
    CLINIC_TRY(Beside::set(txn_, patient_, *number, found.object, outbox::Made::by_others));
    auto envelope = envelope_of(state.appointment, found.as.status);
    CLINIC_TRY(envelope);
    const auto pid = Links::pid(txn_, Destination::crm, patient_);
    CLINIC_TRY(pid);
    envelope->put(Field::mid, envelope::Pseudonym::random('m')).put(Field::pid, *pid).put_site(site).put_sequence(0);
    if (options_.create) envelope->put_slot(found.as.from_quarter, found.as.until_quarter);
    CLINIC_TRY(outbox::Outbox::holds(txn_, patient_, *number, *envelope));
    const auto entry = audit::Trail::append(txn_, {.actor = audit::Actor::egress,
                                                   .action = audit::Action::update,
                                                   .purpose = audit::Purpose::release,
                                                   .detail = "crm_booking",
                                                   .subjects = {patient_}});
    return entry ? Result<void>{} : entry.error();
}

} // namespace clinic::release
