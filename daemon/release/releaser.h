// The one place where records become metadata: takes a changed patient, decides, and pushes what may leave into the
// outbox, in the same transaction as the change; writes the decision (also "nothing leaves", with the reason) as an
// entry of the audit chain.
//   Errors:  those of the store and the outbox; corrupt when the stored policy is not ours (nothing leaves then).
//   Threads: the store's (all take its session); the clock's trust from any.
//   Source:  design, "From a message to GHL", step 2 and 8; docs/release.md.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"
#include "daemon/release/bookings.h"
#include "daemon/release/cases.h"
#include "daemon/release/decide.h"
#include "daemon/release/rehearsal.h"

namespace clinic::release {

class Release;

// How far GHL has been emptied of a person.
enum class TakenBack : std::uint8_t { done, waits, not_allowed };

class Releaser {
public:
    explicit Releaser(const Clock& clock, outbox::Coalesce coalesce = {});

    Result<Policy> policy(records::Session& session) const; // the factory's when none is stored
    Result<void> set_policy(records::Transaction& txn, const Policy& policy);

    // An envelope whose content the destination already holds (or that waits already) is not sent again.
    Result<void> changed(records::Transaction& txn, records::PatientId patient,
                         std::optional<records::AppointmentId> appointment);
    Result<void> consent_changed(records::Transaction& txn, records::PatientId patient, records::ConsentScope scope);
    // GHL does not hold what it was told: it is told once more, a suppression too; and of one who was merged, what
    // empties the contact that was theirs.
    Result<void> say_again(records::Transaction& txn, records::PatientId patient);
    Result<void> merged(records::Transaction& txn, records::PatientId survivor, records::PatientId prior);

    // GHL shows a booking of the patient's at the time of an appointment that has none: it is that one's from now on.
    // The answer: whether it was so. What is to be said of it is for `changed`.
    Result<std::optional<records::AppointmentId>> found_booking(records::Transaction& txn, records::PatientId patient,
                                                                const FoundBooking& found);
    // GHL does not hold what it was told of that booking, or a person has decided: it is told once more.
    Result<void> say_booking_again(records::Transaction& txn, records::PatientId patient, std::int64_t number);

    // Their contact is another one now, or none: what of ours was left at the one before is ended there.
    Result<void> contact_left(records::Transaction& txn, records::PatientId patient);

    // Before a person is erased: GHL is to hold nothing of them. What waits is withdrawn and what was said is
    // suppressed. `waits`: ask again later; `not_allowed`: this basis sends nothing, so what GHL holds stays there.
    Result<TakenBack> take_back(records::Transaction& txn, records::PatientId patient);
    // The person, all that were merged into them, and their rows of the outbox. Final; the key goes right after the
    // commit.
    static Result<void> erase(records::Transaction& txn, const records::Disclosure& why, records::PatientId patient);

    // The last moment before sending: is this lease still allowed? Empty: go. clock_untrusted: hold; else withdraw.
    // `makes`: the request would make a booking.
    Result<std::optional<Because>> still_allowed(records::Transaction& txn, const outbox::Leased& lease,
                                                 bool makes = false);

    // Re-releases a slice of patients: the daily job and a change of basis walk all of them, a slice a transaction.
    // Answers where to go on, nullopt at the end.
    Result<std::optional<records::PatientId>> re_release(records::Transaction& txn,
                                                         std::optional<records::PatientId> after, int rows_max);

    // Consents whose end has come: marked expired, told, and their patients released again. Answers how many patients;
    // 0 while the clock is not trusted. Call again while it answers `rows_max`.
    Result<int> expire_consents_due(records::Transaction& txn, int rows_max);

    Result<Settings> settings(records::Session& session) const;
    // What those settings would have said of somebody, each to `hear`, whether GHL holds it or not; and by which
    // decision. Nothing of it is kept.
    Result<Decision> rehearse(records::Transaction& txn, records::PatientId patient, const Settings& settings,
                              const Hear& hear);

    // There is a pipeline for patients' cases. Set before the first decision.
    void tell_cases(const CaseOptions& options) { case_options_ = options; }
    // Appointments are told as bookings; `find`: crm's. Set before the first decision.
    void tell_bookings(BookingOptions options, FindBooking find) {
        booking_options_ = options;
        find_booking_ = std::move(find);
    }
    const BookingOptions& booking_options() const { return booking_options_; }

    void set_clock_trusted(bool trusted) { clock_trusted_ = trusted; }
    // Asked at each decision besides: a step of the clock counts before anybody has told of it. Set before the first.
    void ask_clock(std::function<bool()> trusted) { ask_clock_ = std::move(trusted); }
    bool clock_trusted() const { return clock_trusted_ && (!ask_clock_ || ask_clock_()); }

private:
    enum class Note : std::uint8_t { always, when_something_left }; // which decisions the audit chain keeps

    // The time first: a step between the two looks is seen by the second.
    Moment moment() const {
        const Timestamp now = clock_.now();
        return {now, clock_trusted()};
    }
    // By the merge; where the survivor may not be spoken of, by a suppression.
    Result<void> empty_again(records::Transaction& txn, records::PatientId prior);

    Result<bool> take_back_beside(records::Transaction& txn, const std::vector<records::PatientId>& family,
                                  const Policy& policy, const Decision& decision);

    // What may be said of them, or the end of it.
    Result<void> tell_or_stop(Release& release, const records::PatientFacts& facts, Decision& decision,
                              bool with_bookings) const;

    // True when it pushed or withdrew something.
    Result<bool> release(records::Transaction& txn, records::PatientId patient,
                         std::optional<records::AppointmentId> appointment, Note note);

    const Clock& clock_;
    const outbox::Coalesce coalesce_;
    CaseOptions case_options_;
    BookingOptions booking_options_;
    FindBooking find_booking_;
    mutable std::mutex policy_lock_; // guards the policy that was read last, and the text it was read from
    mutable std::optional<std::string> policy_text_;
    mutable std::optional<records::RowCache::Since> policy_since_; // that text's setting has not changed since
    mutable Policy policy_;

    std::atomic<bool> clock_trusted_{false};
    std::function<bool()> ask_clock_;
};

} // namespace clinic::release
