// Envelopes waiting to leave the box, oldest first per subject, durable with the record they came from.
//   Units:   times in UTC microseconds.
//   Errors:  full at `rows_max`; refused for an envelope that breaks its schema, or for `ops` (which takes no patient
//            kind); tampered when a stored value does not open. A row that opens and does not decode is dead:
//            "unreadable".
//   Threads: the store's writer thread (Transaction), readers for books and lists.
//   Source:  design, "From a message to GHL", steps 2 and 4; "The books".
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "daemon/records/store.h"
#include "sync/envelope/envelope.h"
#include "sync/envelope/frame.h"

namespace clinic::outbox {

inline constexpr std::int64_t rows_max = 1'000'000;
inline constexpr int dead_life_days = 90;        // then a dead letter is discarded, by the daily job
inline constexpr int ledger_life_days = 6 * 366; // six years: as far back as an accounting of disclosures looks
inline constexpr int ledger_read_life_days = 90; // of a line without a lease: it tells of nobody

// One row's life. Final: delivered, superseded, withdrawn, discarded.
enum class State : std::uint8_t { pending = 1, leased, parked, dead, delivered, superseded, withdrawn, discarded };
const char* name(State state);

// released = the sum of all the others, always.
struct Books {
    std::int64_t released = 0, pending = 0, leased = 0, delivered = 0, superseded = 0, withdrawn = 0, parked = 0,
                 dead = 0, discarded = 0;
    std::int64_t oldest_pending_s = 0;  // age; 0 when nothing is pending
    std::int64_t last_delivered_s = -1; // age; -1: never
    std::string last_code;              // why the newest retry was one
    bool balanced() const;
};

// How changes of one subject become one write; a window of zero: each is a write of its own.
struct Coalesce {
    std::chrono::milliseconds window{0}; // after a write
    std::chrono::milliseconds quiet{0};  // without a change: enough, the window is not waited out
};

// Whose turn it is. Suppressions and consents always come first. Where something has been due for longer than
// `live_age`, what became due since comes before it, unless the turn is the oldest's.
struct Turn {
    envelope::Least least = envelope::Least::any;
    bool oldest_first = true;
};
inline constexpr std::chrono::seconds live_age{10};
inline constexpr std::chrono::hours todays_age{24};

struct LastSaid {        // what the destination holds from us about this subject and kind
    std::string content; // MetadataEnvelope::content()
    std::vector<envelope::Word> tags;
    std::string queued_content; // of the newest row not yet final; empty: none
    bool unsure = false;        // something has been begun since that may have changed it

    bool waits() const { return !queued_content.empty(); }
    bool is_empty() const { return content.empty() && !waits(); }
    const std::string& newest() const { return waits() ? queued_content : content; } // what it holds, or is about to
};

// How GHL is told that somebody is to be left alone: a suppression writes both, refused reminders the tag alone.
enum class Stop : std::uint8_t { tag, do_not_disturb };

struct Leased {
    std::int64_t row = 0;
    records::PatientId patient;
    envelope::MetadataEnvelope envelope;
    std::string object;     // GHL's id of the opportunity or the booking that it is about; empty: none is known
    std::string left_at;    // the contact where that was left; empty: it is at the patient's own
    bool forgotten = false; // nothing is known of that any more: it was at a contact that is another's now
};

// The contacts that an envelope goes to: the patient's (empty: none), or the one where what it is about was left; of a
// merge also the prior's, which is the same where it has become the survivor's.
struct Addressed {
    std::string contact, old_contact;
    bool operator==(const Addressed&) const = default;
};

class Outbox {
public:
    // The row lives or dies with the record: both are in `txn`. Envelopes of the same patient and kind that are
    // pending or parked are superseded (newest state wins; appt.state by patient, consent.state by scope, booking.state
    // by appointment, a suppression takes the place of both states of the contact; a merge of nothing). `parked`:
    // enters as parked, by code. `number`: of what is beside a contact, where it is not the patient's own any more.
    static Result<std::int64_t> push(records::Transaction& txn, envelope::Destination destination,
                                     records::PatientId patient, const envelope::MetadataEnvelope& envelope,
                                     std::optional<std::string_view> parked_code, const Coalesce& coalesce = {},
                                     std::optional<std::int64_t> number = std::nullopt);
    // Empty where a suppression has been said or queued since (and the other way about). `scope`: for consent.state.
    static Result<LastSaid> last_said(records::Session& session, envelope::Destination destination,
                                      records::PatientId patient, envelope::Kind kind,
                                      std::optional<envelope::Scope> scope = std::nullopt);
    // The same, of an opportunity or a booking, by its number (`Beside`).
    static Result<LastSaid> last_said_of(records::Session& session, records::PatientId patient, envelope::Kind kind,
                                         std::int64_t number);

    // The content of what is leased of it, whatever has been queued behind; empty: nothing is.
    static Result<std::string> under_way(records::Session& session, records::PatientId patient, envelope::Kind kind,
                                         std::int64_t number);

    // As if it had been said: what an opportunity or a booking that was there before us holds.
    static Result<void> holds(records::Transaction& txn, records::PatientId patient, std::int64_t number,
                              const envelope::MetadataEnvelope& envelope);
    // GHL does not hold any more what was said of that one.
    static Result<void> doubt_of(records::Transaction& txn, records::PatientId patient, envelope::Kind kind,
                                 std::int64_t number);

    // The contact does not hold any more what was said of it: whatever is decided next is said again.
    static Result<void> doubt(records::Transaction& txn, records::PatientId patient);

    // A "do not contact" of ours (a suppression, or reminders that are not granted) was delivered since, or is begun.
    static Result<bool> wrote_stop_since(records::Session& session, records::PatientId patient, Stop how,
                                         Timestamp since);

    // The patient's envelopes that have not left: withdrawn. An open lease is settled as it ends.
    static Result<void> withdraw(records::Transaction& txn, records::PatientId patient, Literal code);

    // One due envelope whose subject has no other open lease; nullopt: nothing is due. `lease` = the row's id. Of a
    // subject always the oldest, whatever brought its turn. Where the next one behind it is the subject's other state,
    // that goes along (`also`) and ends with the same lease, as the first one does.
    // Nothing but contact.state makes a contact. Without one, the others are parked ("no_contact") until it is linked,
    // and a suppression is discarded; unless an earlier create may have happened: then the lease says to look it up.
    // The old contact of a merge is the prior's; where Links::merge has moved it, it is the contact itself.
    // What is about an opportunity or a booking waits for the contact as those do. It makes one where none is there and
    // it says an open case, or a booking with its time; without one it is discarded ("no_object") once that is sure.
    // `unsure_for`: how long after the end of a create of unknown outcome a look-up that finds nothing proves nothing.
    static Result<std::optional<envelope::Lease>> lease(records::Transaction& txn, envelope::Destination destination,
                                                        bool may_create, std::chrono::milliseconds unsure_for,
                                                        Turn turn = {});
    // A contact that is given is linked, whatever the outcome. A retry with the code "no_contact" (looked up, not
    // there, not to be made) parks; with "no_object" it is discarded. A retry whose content a newer row replaces is
    // superseded; after `withdraw`, withdrawn.
    static Result<envelope::Settled> settle(records::Transaction& txn, const envelope::Settle& outcome);
    // What became of the attempts alone, from who does not hold the lease (any more).
    static Result<envelope::Settled> settle_steps(records::Transaction& txn, const envelope::Settle& outcome);
    // The peer went away, or (nullopt) we started: leased rows are pending again; with an unsettled attempt they look
    // up first, and at a start the time that such an attempt is unsure is counted from now.
    static Result<void> release_leases(records::Transaction& txn, std::optional<std::int64_t> lease);
    // These end one row of an open lease, by its own number: where there are two, the caller ends both. not_found when
    // it is not out.
    static Result<void> park(records::Transaction& txn, std::int64_t row, std::string_view code);
    static Result<void> put_off(records::Transaction& txn, std::int64_t row, std::chrono::milliseconds due_after,
                                std::string_view code); // pending again
    static Result<void> withdraw_lease(records::Transaction& txn, std::int64_t row, std::string_view code);
    static Result<void> kill(records::Transaction& txn, std::int64_t row, std::string_view code); // to dead letters
    static Result<void> unpark(records::Transaction& txn, std::string_view code); // all parked with it become pending
    // What is due later than any retry may be was written by a clock that was ahead: it is due now.
    static Result<void> mend_due_times(records::Transaction& txn);
    // A dead letter (dead_letters.h) is pending again, or superseded. Errors: not_found.
    static Result<void> retry_dead(records::Transaction& txn, std::int64_t row);
    // Whose it was, for the audit chain. What it said is told again when the daily job looks, where it still holds.
    static Result<records::PatientId> discard_dead(records::Transaction& txn, std::int64_t row);
    static Result<std::vector<records::PatientId>> discard_dead_before(records::Transaction& txn, Timestamp died_before,
                                                                       int letters_max);
    // With records::erase_patient, before the key goes: open rows are discarded, leases too; what was said, link,
    // pseudonyms and counters go, and nobody can tell any more whom a ledger line was about.
    static Result<void> erase(records::Transaction& txn, records::PatientId patient);
    // All that is pending is due now at the latest: what was put off by a clock that has been set back since, or by a
    // process that is no more.
    static Result<void> due_now(records::Transaction& txn);
    // When the next one that nothing blocks is due; nullopt: none. In the past: now.
    static Result<std::optional<Timestamp>> next_due(records::Session& session, envelope::Destination destination);

    // Of an open lease; not_found otherwise. All that goes out with it: one, or two of one patient.
    static Result<records::PatientId> patient_of(records::Session& session, std::int64_t lease);
    static Result<std::vector<Leased>> leased(records::Session& session, std::int64_t lease);
    static Result<bool> is_dead(records::Session& session, std::int64_t row);
    static Result<Books> books(records::Session& session, envelope::Destination destination);
};

// Whose making a contact is: one of ours holds a state from its first moment.
enum class Made : std::uint8_t { by_others, by_us };

// What became of the two contacts of a merge.
enum class Merged : std::uint8_t { none, only_survivor, moved, both };

// Pseudonyms and links, one set per patient and destination, sealed with the patient's key.
class Links {
public:
    static Result<envelope::Pseudonym> pid(records::Transaction& txn, envelope::Destination destination,
                                           records::PatientId patient);
    static Result<envelope::Pseudonym> aid(records::Transaction& txn, envelope::Destination destination,
                                           records::PatientId patient, records::AppointmentId appointment);
    static Result<std::int64_t> next_sequence(records::Transaction& txn, envelope::Destination destination,
                                              records::PatientId patient);
    static Result<std::string> contact(records::Session& session, records::PatientId patient); // empty: not linked
    // What was parked for want of a contact is pending again; a create whose outcome was unknown is settled.
    static Result<void> set_contact(records::Transaction& txn, records::PatientId patient, std::string_view contact,
                                    Made made);
    // The blind index of a contact id, and who is linked to it: one, or several where a person said so.
    static crypto::Token contact_token(records::Session& session, std::string_view contact);
    static Result<std::vector<records::PatientId>> patients_of(records::Session& session, std::string_view contact);
    // All links in the order of their numbers, behind `after`: the full comparison walks them.
    struct Linked {
        std::int64_t number = 0;
        records::PatientId patient;
    };
    static Result<std::vector<Linked>> after(records::Session& session, std::int64_t number, int links_max);
    static Result<bool> is_ours(records::Session& session, records::PatientId patient); // linked to a contact we made
    static Result<void> unset_contact(records::Transaction& txn, records::PatientId patient);
    // A contact may be there that we made and that no suppression has emptied, delivered or queued: though its first
    // state was never settled as delivered, or its create as done.
    static Result<bool> create_is_unsure(records::Session& session, records::PatientId patient);
    // The same, and something is under way by which it is looked up; where all of it is dead nobody asks any more.
    static Result<bool> create_is_looked_up(records::Session& session, records::PatientId patient);
    static Result<bool> may_hold_a_shell(records::Session& session, records::PatientId patient);
    // The survivor takes over the prior's contact where it has none of its own, and none can come to light.
    static Result<Merged> merge(records::Transaction& txn, records::PatientId survivor, records::PatientId prior);
    // The GHL contact ids that are recorded for an open lease: the subject's, and for a merge the prior's.
    static Result<std::vector<std::string>> contacts_of(records::Session& session, const Leased& lease);
    // Where it would go if it were handed out now.
    static Result<Addressed> addressed(records::Session& session, const Leased& lease);
    static Result<std::optional<records::PatientId>> patient_by_pid(records::Session& session, std::string_view pid);
    static Result<std::optional<records::AppointmentId>> appointment_by_aid(records::Session& session,
                                                                            std::string_view aid);
};

// What left the building: a line per attempt.
struct LedgerLine {
    std::int64_t attempt = 0, lease = 0;
    Timestamp at{};
    envelope::Route route{};
    std::string digest; // hexadecimal BLAKE2b-256 of method ' ' path '\n' body
    std::string result; // open, not_sent, answered, unknown, held, blocked, dry_run
    int status = 0;
    envelope::Destination destination = envelope::Destination::crm;
    std::optional<envelope::Kind> kind; // of the envelope it served
    std::int64_t also = 0;              // the row of the other state that it served (`companion`); 0: none
    std::string said;                   // what it said, without ids: docs/ledger.md; empty: nothing was to leave
};

inline constexpr int ledger_looked_at_max = 20'000; // lines, by one page

struct LedgerSearch {
    std::int64_t after = 0; // attempts above this one
    std::optional<records::PatientId> subject;
    std::optional<Timestamp> from, until; // written then or later, and before
    std::optional<envelope::Kind> kind;
    std::optional<envelope::Destination> destination;
};

struct LedgerPage {
    std::vector<LedgerLine> lines;    // oldest first
    std::optional<std::int64_t> next; // where to go on; empty: that was all
};

class Ledger {
public:
    // `result`: open, held, blocked or dry_run. `said`: no id of anybody in it; empty with what was stopped.
    static Result<std::int64_t> open_line(records::Transaction& txn, std::optional<records::PatientId> subject,
                                          const envelope::Attempt& attempt, Literal result, std::string_view said = {});
    static Result<void> close_line(records::Transaction& txn, const envelope::StepOutcome& outcome);
    // Of a line that counts several reads: what they were so far. `newest`: what the newest of them came to.
    static Result<void> count_line(records::Transaction& txn, std::int64_t line, const crypto::Digest& digest,
                                   std::string_view said, const std::optional<envelope::StepOutcome>& newest);
    static crypto::Digest digest_of(const envelope::Attempt& attempt);
    // When the newest request was asked for that wrote something about that patient, of any kind or of one, and was not
    // stopped; nullopt: none, or all were purged.
    static Result<std::optional<Timestamp>> newest_write(records::Session& session, records::PatientId subject,
                                                         std::optional<envelope::Kind> kind = std::nullopt);
    // The tag of a suppression was sent, and since then no state that it was not late for has taken tags away, and no
    // other contact was made: whatever has become of its envelope, the tag may be there. By the order of the lines: a
    // step of the clock changes only for how long a write without an answer is taken for late.
    static Result<bool> suppression_may_stand(records::Session& session, records::PatientId subject);
    static Result<std::int64_t> purge_before(records::Transaction& txn, Timestamp written_before,
                                             int lines_max); // how many
    // Of the lines without a lease alone: what was asked of GHL for nobody.
    static Result<std::int64_t> purge_reads_before(records::Transaction& txn, Timestamp written_before, int lines_max);
    static Result<std::vector<LedgerLine>> lines(records::Session& session, std::int64_t after, int lines_max);
    static Result<std::vector<LedgerLine>> lines_about(records::Session& session, records::PatientId subject,
                                                       std::int64_t after, int lines_max);
    static Result<std::vector<LedgerLine>> lines_of(records::Session& session, std::int64_t row, int lines_max);
    static Result<LedgerPage> page(records::Session& session, const LedgerSearch& search, int lines_max);
};

} // namespace clinic::outbox
