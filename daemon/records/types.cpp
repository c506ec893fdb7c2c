#include "daemon/records/types.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace clinic::records {
namespace {

// A word's place is its enumerator's value.
constexpr std::array appointment_words{"requested", "booked",  "confirmed",   "arrived",         "completed",
                                       "cancelled", "no_show", "rescheduled", "entered_in_error"};
constexpr std::array scope_words{"crm_sync", "reminders", "marketing"};
constexpr std::array state_words{"granted", "revoked", "expired"};

static_assert(appointment_words.size() == static_cast<std::size_t>(AppointmentStatus::entered_in_error) + 1);
static_assert(scope_words.size() == static_cast<std::size_t>(ConsentScope::marketing) + 1);
static_assert(state_words.size() == static_cast<std::size_t>(ConsentState::expired) + 1);

template <class Enum, std::size_t size>
std::optional<Enum> find(const std::array<const char*, size>& words, std::string_view word) {
    for (std::size_t i = 0; i < size; ++i) {
        if (word == words[i]) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

} // namespace

bool identifies_person(std::string_view identifier_type) {
    static constexpr std::array<std::string_view, 24> others = {"SS", "SSN", "AN",  "ANON", "VN",  "VS", "DL", "PPN",
                                                                "PN", "MA",  "MC",  "MCR",  "MCD", "HC", "SN", "MB",
                                                                "NI", "NPI", "TAX", "BC",   "BR",  "GL", "WC", "XX"};
    return std::find(others.begin(), others.end(), identifier_type) == others.end();
}

const char* name(AppointmentStatus status) {
    return appointment_words.at(static_cast<std::size_t>(status));
}

std::optional<AppointmentStatus> appointment_status(std::string_view name) {
    return find<AppointmentStatus>(appointment_words, name);
}

bool is_open(AppointmentStatus status) {
    switch (status) {
    case AppointmentStatus::requested:
    case AppointmentStatus::booked:
    case AppointmentStatus::confirmed:
    case AppointmentStatus::arrived:
    case AppointmentStatus::rescheduled: return true;
    case AppointmentStatus::completed:
    case AppointmentStatus::cancelled:
    case AppointmentStatus::no_show:
    case AppointmentStatus::entered_in_error: return false;
    }
    return false;
}

const char* name(ConsentScope scope) {
    return scope_words.at(static_cast<std::size_t>(scope));
}
const char* name(ConsentState state) {
    return state_words.at(static_cast<std::size_t>(state));
}
std::optional<ConsentScope> consent_scope(std::string_view name) {
    return find<ConsentScope>(scope_words, name);
}
std::optional<ConsentState> consent_state(std::string_view name) {
    return find<ConsentState>(state_words, name);
}

} // namespace clinic::records
