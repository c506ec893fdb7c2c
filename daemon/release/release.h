// Private to clinic::release: one patient's release inside one transaction.
//   Errors:  those of the store and the outbox.
//   Threads: the store's.
#pragma once

#include <optional>

#include "daemon/outbox/outbox.h"
#include "daemon/release/bookings.h"
#include "daemon/release/cases.h"
#include "daemon/release/decide.h"
#include "daemon/release/rehearsal.h"

namespace clinic::release {

class Release {
public:
    Release(records::Transaction& txn, records::PatientId patient, const Policy& policy, const Decision& decision,
            const outbox::Coalesce& coalesce, const CaseOptions& cases, const BookingOptions& bookings)
        : txn_{txn}, patient_{patient}, policy_{policy}, decision_{decision}, coalesce_{coalesce},
          cases_{txn, patient, cases, saying()}, bookings_{txn, patient, bookings, saying()} {}
    Release(const Release&) = delete;
    Release& operator=(const Release&) = delete;

    void because_of(std::optional<records::AppointmentId> changed) { changed_ = changed; }
    // What is said is heard by `hear` alone, also where GHL holds it; nothing is pushed.
    void rehearse(const Hear& hear) { hear_ = &hear; }
    bool did_anything() const { return did_anything_; }

    Result<outbox::LastSaid> last_said(envelope::Kind kind, std::optional<envelope::Scope> scope = std::nullopt);

    // A contact or appointment state that was delivered, waits or is on its way, and was not suppressed since; or a
    // contact of ours that has its first state by a create whose outcome we do not know, or that came to us by a
    // look-up.
    Result<bool> has_said_something();

    // The same, also where a suppression is under way.
    Result<bool> ever_said_something();

    Result<void> tell(const records::PatientFacts& facts);

    Cases& cases() { return cases_; }
    Result<void> tell_bookings(const records::PatientFacts& facts, Timestamp now, const FindBooking& find);
    Result<void> tell_consent(const records::ConsentFacts& consent, Timestamp now);

    // What waits is withdrawn; what was said is taken back by one suppression.
    Result<void> stop();
    Result<void> suppress(envelope::Reason reason);
    // What is beside the contact: it is ended, or called off; whether that is still to be done.
    Result<void> take_back_beside();
    Result<bool> something_stands_beside();
    // What was left at a contact that is theirs no more.
    Result<void> close_left();

    Result<void> tell_merge(const envelope::Pseudonym& old);
    Result<void> note();

private:
    static envelope::MetadataEnvelope contact_state(const ContactState& state);

    // In `deid` an appointment says its status and year alone.
    envelope::MetadataEnvelope appt_state(const ApptState& state, const envelope::Pseudonym& aid) const;
    Result<void> tell_appointment(const ApptState& state);

    // The changed one is theirs no more (entered in error, or another's): cancelled, where it is what was said last.
    Result<void> tell_gone_appointment();

    // An open one always is, and one that this very change ended. Another that is over only while the destination
    // holds an appointment, which then moves on.
    Result<bool> appointment_is_news(const records::PatientFacts& facts, const ApptState& state);

    SayBeside saying();
    Result<bool> something_waits();

    // Pushes, unless the destination holds just this or it waits already. `number`: of what is beside the contact.
    Result<void> say(envelope::MetadataEnvelope envelope, std::optional<envelope::Scope> scope = std::nullopt,
                     std::optional<std::int64_t> number = std::nullopt);

    records::Transaction& txn_;
    records::PatientId patient_;
    const Policy& policy_;
    const Decision& decision_;
    const outbox::Coalesce& coalesce_;
    Cases cases_;
    Bookings bookings_;
    std::optional<records::AppointmentId> changed_;
    const Hear* hear_ = nullptr;
    bool did_anything_ = false;
};

} // namespace clinic::release
