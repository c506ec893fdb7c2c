// Whose word counts for each field that both sides can change: one table, shown in docs/crm.md.
#pragma once

#include <array>
#include <cstdint>

namespace clinic::crm {

enum class Owner : std::uint8_t { clinic, ghl, most_restrictive, set_merge, person };
constexpr const char* name(Owner owner) {
    constexpr std::array names{"clinic wins", "GHL wins", "most restrictive wins", "sets are merged",
                               "a person decides"};
    return names.at(static_cast<std::size_t>(owner));
}

// Stored as numbers: new ones at the end.
enum class Field : std::uint8_t {
    stage,
    last,
    next,
    appt_status,
    appt_when,
    tags,
    do_not_disturb,
    contact_deleted,
    marker,
    slot,
    booking_status,
    opportunity_stage,
    zone,
    lead,
    case_state,
    case_deleted,
    booking_time,
    booking_cancelled,
};

struct Ownership {
    Field field;
    const char* name;
    Owner owner;
    const char* rule;
};

inline constexpr std::array ownership{
    Ownership{Field::stage, "stage", Owner::clinic, "`ce_stage` is written again as the clinic's records say"},
    Ownership{Field::last, "last", Owner::clinic, "`ce_last`, the same"},
    Ownership{Field::next, "next", Owner::clinic, "`ce_next`, the same"},
    Ownership{Field::appt_status, "appt_status", Owner::clinic, "`ce_appt_status`, the same"},
    Ownership{Field::appt_when, "appt_when", Owner::clinic, "`ce_appt_when`, the same"},
    Ownership{Field::tags, "tags", Owner::set_merge,
              "our words are set as the clinic's records say; every other tag is GHL's and is not touched"},
    Ownership{Field::do_not_disturb, "do_not_disturb", Owner::most_restrictive,
              "do-not-disturb, or the tag do-not-contact, set in GHL ends the consents to reminders and marketing; "
              "cleared in GHL it gives none back"},
    Ownership{Field::contact_deleted, "contact_deleted", Owner::person,
              "a patient's contact was deleted in GHL: it is not made again by itself"},
    Ownership{Field::marker, "marker", Owner::person, "a second contact carries a patient's `ce_pid`"},
    Ownership{Field::slot, "slot", Owner::person, "GHL booked a time that the clinic's schedule has no room for"},
    Ownership{
        Field::booking_status, "booking_status", Owner::clinic,
        "of a booking that is an appointment's, where the clinic's has moved on; GHL's confirmation of one that is "
        "booked is no difference; where GHL's has moved on (showed, no-show) a person decides; of any other "
        "booking kept as seen"},
    Ownership{Field::opportunity_stage, "opportunity_stage", Owner::ghl,
              "pipeline, stage and outcome of an opportunity that is not ours, kept as seen"},
    Ownership{Field::zone, "zone", Owner::ghl, "the location's time zone, kept as seen; a change of it is recorded"},
    Ownership{Field::lead, "lead", Owner::ghl,
              "of a contact that is no patient: configured campaigns and source, kept as seen"},
    Ownership{Field::case_state, "case_state", Owner::clinic,
              "pipeline, stage and outcome of a patient's case are written again as the clinic's records say"},
    Ownership{Field::case_deleted, "case_deleted", Owner::person,
              "a patient's case was deleted in GHL: it is not opened again by itself"},
    Ownership{
        Field::booking_time, "booking_time", Owner::clinic,
        "with `ghl.bookings.create` the booking is moved as the clinic's appointment; without it a person decides"},
    Ownership{Field::booking_cancelled, "booking_cancelled", Owner::person,
              "the booking of an appointment that stands was cancelled or deleted in GHL: it is not set up again, nor "
              "anything else said of it, by itself"},
};

// Of a booking that is an appointment's.
constexpr bool is_of_bookings(Field field) {
    return field == Field::booking_status || field == Field::booking_time || field == Field::booking_cancelled;
}

constexpr const Ownership& of(Field field) {
    return ownership.at(static_cast<std::size_t>(field));
}
static_assert([] {
    for (std::size_t i = 0; i < ownership.size(); ++i)
        if (ownership.at(i).field != static_cast<Field>(i)) return false;
    return true;
}());

} // namespace clinic::crm
