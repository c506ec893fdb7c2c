// The vocabulary of the store: what intake hands in and what release looks at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/ids.h"
#include "daemon/records/phi.h"

namespace clinic::records {

using PatientId = base::Id<struct PatientTag>;
using AppointmentId = base::Id<struct AppointmentTag>;
using OrganizationId = base::Id<struct OrganizationTag>;
using PhiText = Phi<std::string>;

// What a message says of a field: nothing (keep), "" in HL7 (clear), or a value. HL7 v2.5 §2.5.3.4.
template <class T>
class Said {
public:
    Said() = default;
    static Said cleared() {
        Said said;
        said.state_ = State::cleared;
        return said;
    }
    static Said given(T value) {
        Said said;
        said.state_ = State::given;
        said.value_ = std::move(value);
        return said;
    }
    bool is_absent() const { return state_ == State::absent; }
    bool is_cleared() const { return state_ == State::cleared; }
    bool is_given() const { return state_ == State::given; }
    const T& value() const { return value_; }
    T& value() { return value_; }

private:
    enum class State : std::uint8_t { absent, cleared, given };
    State state_ = State::absent;
    T value_{};
};

// An identifier as its authority wrote it. The name space keeps equal numbers of two systems apart:
// the assigning authority, or the sender (MSH-3 and MSH-4) where the message names none.
struct Identifier {
    std::string name_space; // not patient data: a system's name
    std::string type;       // HL7 table 0203: MR, PI, SS … ; empty when not said
    PhiText value;
};

// False for social security, account, visit, insurance and licence numbers: shared, re-used, or not the clinic's to
// match people by. They are kept for the last check; nobody is found by them.
bool identifies_person(std::string_view identifier_type);

// A snapshot of a person from one message or CSV line.
struct PatientChange {
    std::optional<PatientId> known;      // who it is, found already; else the identifiers say it
    std::vector<Identifier> identifiers; // the first is the one to file a new person under (MR, then PI, then any)
    Said<PhiText> family, given, middle;
    Said<PhiText> birth_date; // YYYY, YYYYMM or YYYYMMDD: the precision that was sent
    Said<PhiText> sex, address, language;
    Said<std::vector<PhiText>> phones, emails; // as sent; matched by their digits, lower-cased
    Said<bool> deceased;
    bool text_assumed = false;           // the character set was a guess
    std::optional<Timestamp> visited_at; // A01, A04: when the person was here
    bool visit_cancelled = false;        // A11, A13: that visit did not happen, or is not over
    std::optional<bool> active;          // A29 says false; nothing else but a new A28/A31 says true
};

enum class AppointmentStatus : std::uint8_t {
    requested,
    booked,
    confirmed,
    arrived,
    completed,
    cancelled,
    no_show,
    rescheduled,
    entered_in_error
};
const char* name(AppointmentStatus status);
std::optional<AppointmentStatus> appointment_status(std::string_view name);
bool is_open(AppointmentStatus status); // still to come: requested, booked, confirmed, arrived, rescheduled

struct AppointmentChange {
    PhiText key;            // filler id, else placer id
    std::string name_space; // scoped by sender
    AppointmentStatus status = AppointmentStatus::booked;
    bool keep_status = false; // a known appointment keeps the status it has
    std::optional<Timestamp> start, end;
    Said<PhiText> reason, provider, location; // kept, never emitted
};

enum class ConsentScope : std::uint8_t { crm_sync, reminders, marketing };
enum class ConsentState : std::uint8_t { granted, revoked, expired };
const char* name(ConsentScope scope);
const char* name(ConsentState state);
std::optional<ConsentScope> consent_scope(std::string_view name);
std::optional<ConsentState> consent_state(std::string_view name);

struct ConsentChange {
    ConsentScope scope = ConsentScope::crm_sync;
    ConsentState state = ConsentState::granted;
    Timestamp given_at{};
    std::optional<Timestamp> expires_at;
};

// When and by whom a change was said: an older one never overwrites a newer one.
struct Stamp {
    std::string sender;      // MSH-3 '|' MSH-4, or "csv"
    Timestamp said_at{};     // EVN-2, else MSH-7, else the time of receipt
    bool by_arrival = false; // said_at is no more than that: what arrives later was said later, whatever the clock says
};

// What release may look at: no identifier, no text.
enum class PatientStatus : std::uint8_t { active, inactive, merged, erased };

struct AppointmentFacts {
    AppointmentId id;
    AppointmentStatus status;
    std::optional<Timestamp> start;
    std::optional<Timestamp> end{};
};

struct ConsentFacts {
    ConsentScope scope;
    ConsentState state;
    std::optional<Timestamp> expires_at;
    int revision = 1;
};

struct PatientFacts {
    PatientId id;
    PatientStatus status = PatientStatus::active;
    std::optional<PatientId> merged_into;
    bool test_traffic = false; // MSH-11 T or D: kept, never released
    bool has_mobile = false, has_email = false;
    Timestamp created_at{};
    std::optional<Timestamp> last_visit; // newest visit or completed appointment, in the past
    int visits = 0;
    std::vector<AppointmentFacts> appointments; // newest 64 by start; open ones first
    bool more_appointments = false;             // than that list has
    std::vector<ConsentFacts> consents;         // the latest of each scope
};

} // namespace clinic::records
