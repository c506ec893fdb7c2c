// The rows of the outbox and the books over them. Every change of state goes through here, so that the books balance.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/outbox/outbox.h"

namespace clinic::outbox {

inline constexpr std::string_view object_gone = "object_gone"; // deleted in GHL: a person decides
inline constexpr std::string_view goes_apart = "blocked";      // of a pending row: it goes with no other

struct Row {
    std::int64_t id = 0;
    envelope::Destination destination{};
    records::PatientId patient;
    envelope::Kind kind{};
    std::int64_t scope = -1; // of consent.state; -1 for the other kinds
    State state{};
    Timestamp due_at{};
    int tries = 0, counted = 0;
    bool withdrawn = false;
    std::string code;
    std::int64_t joined = 0; // leased: the row whose lease it goes out with; 0: its own
};

Result<std::optional<Row>> find_row(records::Session& session, std::int64_t id);
Result<Row> leased_row(records::Session& session, std::int64_t id); // not_found when it is not leased
// All that goes out with an open lease, its own row first; empty: it is not open.
Result<std::vector<Row>> rows_of_lease(records::Session& session, std::int64_t lease);
// The subject's next row behind this one that is pending, where it is the other state and may go out in one lease: it
// is due, or waits for more changes alone. What GHL has refused goes by itself, so that the other does not die of it.
Result<std::optional<Row>> row_beside(records::Session& session, const Row& row);

// The oldest pending row of a subject without an open lease, the one that is due first; due at `at` or before.
Result<std::optional<Row>> next_row(records::Session& session, envelope::Destination destination, Timestamp at);

Result<records::OutboxCounters> counters_of(records::Session& session, envelope::Destination destination);
// A new row in the books: released, and in `state`.
Result<void> enter(records::Transaction& txn, envelope::Destination destination, State state);
// Counts `rows` from one state to another.
Result<void> book(records::Transaction& txn, envelope::Destination destination, State from, State to,
                  std::int64_t rows);
// One row to another state; a final one removes it.
Result<void> move(records::Transaction& txn, const Row& row, State to, std::string_view code);
Result<void> join(records::Transaction& txn, const Row& row, std::int64_t lease); // leased with another's
// Pending, and not before `due`; nor is any younger row of the subject, so that the scan for what is due stays short.
Result<void> make_pending(records::Transaction& txn, const Row& row, Timestamp due, std::string_view code);

// A younger row says what this one would, or takes it back.
Result<bool> is_replaced(records::Session& session, const Row& row);

Result<envelope::MetadataEnvelope> envelope_in(records::Session& session, const Row& row);
Result<Leased> opened(records::Session& session, const Row& row); // the same, and whose it is

// ---- said -------------------------------------------------------------------------------------------------------
Result<void> remember_said(records::Transaction& txn, const Row& row);
// A write of this row is begun: what was said of its kind, or of the opposite, may hold no more; and of a state that
// was never said some may stand there from now on. A create that is `makes_contact` leaves that to `unsettled_create`.
Result<void> said_unsure(records::Transaction& txn, const Row& row, bool makes_contact);
Result<void> forget_said(records::Transaction& txn, records::PatientId patient, envelope::Kind kind);
Result<void> tags_unsure(records::Transaction& txn, records::PatientId patient);
// The tags of the newest delivered contact.state, where nothing has touched them since.
Result<std::optional<std::vector<envelope::Word>>> known_tags(records::Session& session, const Row& row);

// ---- ledger -----------------------------------------------------------------------------------------------------
// The lease is over: lines that are still open are unknown.
Result<void> close_lease(records::Transaction& txn, std::int64_t lease);
Result<void> close_step(records::Transaction& txn, std::int64_t lease, const envelope::StepOutcome& step);
// A write to this patient's contact ended without an answer not long ago.
Result<bool> write_may_be_late(records::Session& session, records::PatientId patient);
Result<bool> touched_tags(records::Session& session, std::int64_t lease);
// A contact may have been created for this patient without our knowing it: since when, on the boot clock, no byte of
// such a request has left us. Empty: none.
Result<std::optional<base::Micros>> unsettled_create(records::Session& session, records::PatientId patient);
// After a restart: the boot clock may have begun anew, and a request of before may have ended only just now.
Result<void> unsure_from_now(records::Transaction& txn);
Result<void> settle_creates(records::Transaction& txn, records::PatientId patient);

// ---- beside -----------------------------------------------------------------------------------------------------
// A create of the opportunity or the booking is begun, by that line; it has ended, and is proof or none.
Result<void> create_begun(records::Transaction& txn, const Row& row, std::int64_t attempt);
Result<void> create_ended(records::Transaction& txn, std::int64_t attempt, bool made_nothing);
Result<void> creates_of_lease_ended(records::Transaction& txn, std::int64_t lease); // without an answer
Result<void> creates_unsure_from_now(records::Transaction& txn);

// ---- links ------------------------------------------------------------------------------------------------------
// The prior's contact, for a merge; empty otherwise.
Result<std::string> old_contact(records::Session& session, const envelope::MetadataEnvelope& envelope);
// Of one that is about the contact.
Result<Addressed> addressed_now(records::Session& session, records::PatientId patient,
                                const envelope::MetadataEnvelope& envelope);

} // namespace clinic::outbox
