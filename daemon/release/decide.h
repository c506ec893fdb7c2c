// A pure function of (facts, basis, consents, policy) to what may be said. No store, no clock, no pseudonym:
// those are put on by Releaser. Table-tested over basis x consent state for contact, appointment and suppression; what
// is said of a consent and of a merge follows from the same decision, in Releaser.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/records/types.h"
#include "daemon/release/policy.h"
#include "sync/envelope/envelope.h"

namespace clinic::release {

struct ContactState {
    envelope::Stage stage;
    std::vector<envelope::Word> tags;
    envelope::Channel channel;
    envelope::TimeBucket last, next;
};
struct ApptState {
    records::AppointmentId appointment;
    envelope::ApptStatus status;
    envelope::Visit visit;
    envelope::TimeBucket when;
};

// Why nothing (or a suppression) leaves; kept with the release decision.
enum class Because : std::uint8_t {
    allowed,
    basis_off,
    basis_expired,
    deid_needs_contactless,
    no_consent,
    consent_revoked,
    consent_expired,
    clock_untrusted,
    test_traffic,
    merged,
    inactive_unknown,
    erased,
    not_configured, // an opportunity, a booking, or its time, where the settings let none leave (any more)
    held_in_ghl,    // what GHL says of it is against ours: a person decides
    over            // a booking that is not there, of an appointment that has been
};
Literal name(Because because);

struct Decision {
    Because because = Because::basis_off;
    bool may_leave = false;   // contact.state and appt.state
    bool clock_holds = false; // what is said (a suppression too) waits, parked, for a trusted clock
    std::optional<ContactState> contact;
    std::optional<ApptState> appointment;     // the face: the soonest open one, else the one that changed
    std::optional<envelope::Reason> suppress; // when something was said before and must now stop
};

struct Moment {
    Timestamp now{};
    bool clock_trusted = true;
};

// Whether the account that receives holds names, phones or e-mails. GHL does; `deid` then lets nothing leave.
enum class Recipient : std::uint8_t { contact_store, contactless };

Decision decide(const records::PatientFacts& facts, const Policy& policy, Moment moment,
                std::optional<records::AppointmentId> changed, Recipient recipient = Recipient::contact_store);

// The latest word on a scope as it counts at `now`: a granted one past its expiry is expired. Empty: nothing is known.
std::optional<records::ConsentState> consent_at(const records::PatientFacts& facts, records::ConsentScope scope,
                                                Timestamp now);

// Whole days of the clinic's calendar; months by the calendar (a month from 31 January ends on the last of February).
envelope::TimeBucket ahead(Timestamp now, std::optional<Timestamp> at); // next, when
envelope::TimeBucket ago(Timestamp now, std::optional<Timestamp> at);   // last
envelope::TimeBucket year_of(std::optional<Timestamp> at);              // all that `deid` says

} // namespace clinic::release
