// The written form of each enumeration, in the order of its values. One table serves writing, reading and refusing.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "sync/envelope/envelope.h"
#include "sync/envelope/frame.h"

namespace clinic::envelope {

template <class Enum>
struct Names;

#define CLINIC_NAMES(Enum, ...)                                                                                        \
    template <>                                                                                                        \
    struct Names<Enum> {                                                                                               \
        static constexpr auto table = std::to_array<const char*>({__VA_ARGS__});                                       \
    }

CLINIC_NAMES(Destination, "crm", "ops");
CLINIC_NAMES(Kind, "contact.state", "appt.state", "consent.state", "contact.suppress", "contact.merge", "case.state",
             "booking.state");
CLINIC_NAMES(Stage, "lead", "new", "active", "recall_due", "lapsed", "inactive", "archived");
CLINIC_NAMES(Channel, "sms", "email", "phone", "none");
CLINIC_NAMES(ApptStatus, "requested", "booked", "confirmed", "arrived", "completed", "cancelled", "no_show",
             "rescheduled");
CLINIC_NAMES(Visit, "first", "repeat", "other");
CLINIC_NAMES(Scope, "crm_sync", "reminders", "marketing");
CLINIC_NAMES(Grant, "granted", "revoked", "expired");
CLINIC_NAMES(Reason, "revoked", "expired", "erased", "restricted");
CLINIC_NAMES(Bucket, "none", "past", "d0_2", "d3_7", "d8_30", "m1_3", "m3_6", "m6_plus");
CLINIC_NAMES(Field, "mid", "site", "pid", "aid", "old", "seq", "stage", "tags", "channel", "last", "next", "status",
             "visit", "when", "scope", "state", "rev", "reason", "outcome", "booking", "from", "until");
CLINIC_NAMES(Route, "location_read", "contact_create", "contact_search", "contact_fields", "tags_add", "tags_remove",
             "contacts_changed", "opportunities_page", "calendar_events", "fields_read", "field_create", "tags_read",
             "pipelines_read", "calendars_read", "contact_read", "case_create", "case_update", "case_search",
             "booking_create", "booking_update", "booking_search", "case_read", "booking_read");
CLINIC_NAMES(StepOutcome::Result, "not_sent", "answered", "unknown");
CLINIC_NAMES(Outcome, "delivered", "retry", "dead");
CLINIC_NAMES(LaneState, "up", "paused", "down");
CLINIC_NAMES(Part, "pid", "stage", "last", "next", "appt_status", "appt_when", "pipeline", "calendar");
CLINIC_NAMES(Lack, "unset", "missing", "retyped", "options");
CLINIC_NAMES(Answer, "go", "hold", "no", "dry");
CLINIC_NAMES(CrmKind, "contact", "appointment", "opportunity", "location");
CLINIC_NAMES(Booking, "new", "confirmed", "cancelled", "showed", "noshow", "invalid");
CLINIC_NAMES(Case, "open", "won", "lost", "abandoned");
CLINIC_NAMES(Taken, "stored", "known", "stale", "after_delete", "refused");
CLINIC_NAMES(Match, "none", "linked", "choice", "refused");
CLINIC_NAMES(WalkStep, "rest", "read", "look", "go_on");
CLINIC_NAMES(Least, "any", "live", "urgent");

#undef CLINIC_NAMES

template <class Enum>
constexpr const char* name_of(Enum value) {
    return Names<Enum>::table[static_cast<std::size_t>(value)];
}

template <class Enum>
constexpr std::optional<Enum> value_of(std::string_view text) {
    for (std::size_t i = 0; i < Names<Enum>::table.size(); ++i)
        if (text == Names<Enum>::table[i]) return static_cast<Enum>(i);
    return std::nullopt;
}

} // namespace clinic::envelope
