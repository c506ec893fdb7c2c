// Envelopes waiting to leave the box, oldest first per subject, durable with the record they came from.
//   Units:   times in UTC microseconds.
//   Errors:  full at `rows_max`; corrupt when a stored row does not decode.
//   Threads: the store's writer thread (Transaction), readers for books and lists.
//   Source:  design, "From a message to GHL", steps 2 and 4; "The books".
#pragma once

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

// One row's life. Final: delivered, superseded, withdrawn, discarded.
enum class State : std::uint8_t { pending = 1, leased, parked, dead, delivered, superseded, withdrawn, discarded };
const char* name(State state);

// released = the sum of all the others, always.
struct Books {
    std::int64_t released = 0, pending = 0, leased = 0, delivered = 0, superseded = 0, withdrawn = 0, parked = 0, dead = 0, discarded = 0;
    std::int64_t oldest_pending_s = 0;        // age; 0 when nothing is pending
    std::int64_t last_delivered_s = -1;       // age; -1: never
    std::string last_code;                    // why the newest retry was one
    bool balanced() const;
};

struct LastSaid {                             // what the destination holds from us about this subject and kind
    std::string content;                      // MetadataEnvelope::content()
    std::vector<envelope::Word> tags;
    std::string queued_content;               // of the newest row not yet final; empty: none
};

class Outbox {
public:
    // The row lives or dies with the record: both are in `txn`. Envelopes of the same patient and kind that are
    // still pending are superseded (newest state wins; appt.state by patient). `parked`: enters as parked, by code.
    static Result<std::int64_t> push(records::Transaction& txn, envelope::Destination destination, records::PatientId patient,
                                     const envelope::MetadataEnvelope& envelope, std::optional<std::string_view> parked_code);
    static Result<LastSaid> last_said(records::Session& session, envelope::Destination destination, records::PatientId patient, envelope::Kind kind);

    // The patient's envelopes that have not left: withdrawn. An open lease is settled as it ends.
    static Result<void> withdraw(records::Transaction& txn, records::PatientId patient, Literal code);

    // One due envelope whose subject has no other open lease; nullopt: nothing is due. `lease` = the row's id.
    static Result<std::optional<envelope::Lease>> lease(records::Transaction& txn, envelope::Destination destination, bool may_create, int index_lag_ms);
    static Result<envelope::Settled> settle(records::Transaction& txn, const envelope::Settle& outcome);
    // The peer went away, or we started: leased rows are pending again; with an unsettled attempt they look up first.
    static Result<void> release_leases(records::Transaction& txn, std::optional<std::int64_t> lease);
    static Result<void> park(records::Transaction& txn, std::int64_t lease, std::string_view code);
    static Result<void> unpark(records::Transaction& txn, std::string_view code);       // all parked with it become pending
    static Result<void> kill(records::Transaction& txn, std::int64_t lease, std::string_view code);   // to dead letters
    static Result<void> retry_dead(records::Transaction& txn, std::optional<std::int64_t> row);
    static Result<std::optional<Timestamp>> next_due(records::Session& session, envelope::Destination destination);

    static Result<records::PatientId> patient_of(records::Session& session, std::int64_t lease);
    static Result<envelope::MetadataEnvelope> envelope_of(records::Session& session, std::int64_t lease);
    static Result<Books> books(records::Session& session, envelope::Destination destination);

    // Called on the writer thread after a commit that made something due.
    static void on_due(records::Transaction& txn, const std::function<void()>& wake);
};

// Pseudonyms and links, one set per patient and destination, sealed with the patient's key.
class Links {
public:
    static Result<envelope::Pseudonym> pid(records::Transaction& txn, envelope::Destination destination, records::PatientId patient);
    static Result<envelope::Pseudonym> aid(records::Transaction& txn, envelope::Destination destination, records::PatientId patient, records::AppointmentId appointment);
    static Result<std::int64_t> next_sequence(records::Transaction& txn, envelope::Destination destination, records::PatientId patient);
    static Result<std::string> contact(records::Session& session, records::PatientId patient);     // empty: not linked
    static Result<void> set_contact(records::Transaction& txn, records::PatientId patient, std::string_view contact);
};

// What left the building: a line per attempt.
struct LedgerLine {
    std::int64_t attempt = 0, lease = 0;
    Timestamp at{};
    envelope::Route route{};
    std::string digest;                  // hexadecimal BLAKE2b-256 of method ' ' path '\n' body
    std::string result;                  // open, not_sent, answered, unknown, held, blocked
    int status = 0;
};

class Ledger {
public:
    static Result<std::int64_t> open_line(records::Transaction& txn, std::optional<records::PatientId> subject, const envelope::Attempt& attempt, Literal result);
    static Result<void> close_line(records::Transaction& txn, const envelope::StepOutcome& outcome);
    static Result<std::vector<LedgerLine>> lines(records::Session& session, std::int64_t after, int rows_max);
};

}  // namespace clinic::outbox
