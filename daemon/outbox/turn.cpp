#include "daemon/outbox/turn.h"

#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

using envelope::Destination;
using envelope::Kind;
using MaybeRow = std::optional<Row>;

// The index outbox_urgent and the statement that reads it say these kinds as numbers.
static_assert(number(Kind::consent_state) == 2 && number(Kind::contact_suppress) == 3);

struct Candidate {
    std::int64_t id = 0;
    records::PatientId patient;
    Timestamp queued_at{}, due_at{};
};

Candidate read_candidate(const records::Statement& row) {
    return {row.integer(0), {row.uuid(1)}, {row.integer(2)}, {row.integer(3)}};
}

// The subject's oldest row about the contact, else the oldest beside it, where it is due and none of the subject's is
// out. What is beside the contact holds up nothing that is about it.
Result<MaybeRow> first_of(records::Session& session, Destination destination, records::PatientId patient) {
    const auto out = first_row(
        session, "SELECT 1 FROM outbox WHERE patient = ? AND destination = ? AND state = 2 LIMIT 1",
        [](const records::Statement&) {}, patient, number(destination));
    CLINIC_TRY(out);
    if (*out) return MaybeRow{};
    std::int64_t id = 0;
    CLINIC_TRY(first_row(
        session,
        "SELECT id FROM outbox WHERE patient = ? AND destination = ? AND state = 1 AND kind < 5 ORDER BY id LIMIT 1",
        [&](const records::Statement& row) { id = row.integer(0); }, patient, number(destination)));
    if (id == 0)
        CLINIC_TRY(first_row(
            session, "SELECT id FROM outbox WHERE patient = ? AND destination = ? AND state = 1 ORDER BY id LIMIT 1",
            [&](const records::Statement& row) { id = row.integer(0); }, patient, number(destination)));
    auto row = find_row(session, id);
    CLINIC_TRY(row);
    if (!*row || (*row)->due_at > session.now()) return MaybeRow{};
    return row;
}

Result<MaybeRow> first_that_can_go(records::Session& session, Destination destination,
                                   const std::vector<Candidate>& candidates) {
    for (const Candidate& one : candidates) {
        auto row = first_of(session, destination, one.patient);
        if (!row || *row) return row;
    }
    return MaybeRow{};
}

Result<MaybeRow> urgent(records::Session& session, Destination destination) {
    std::vector<Candidate> candidates;
    CLINIC_TRY(each_row(
        session,
        "SELECT id, patient, queued_at, due_at FROM outbox INDEXED BY outbox_urgent "
        "WHERE destination = ? AND state = 1 AND kind IN (2, 3) AND due_at <= ? ORDER BY due_at, id LIMIT 64",
        [&](const records::Statement& row) { candidates.push_back(read_candidate(row)); }, number(destination),
        session.now()));
    return first_that_can_go(session, destination, candidates);
}

// Newest first, of those that may.
template <class May>
Result<MaybeRow> newest(records::Session& session, Destination destination, May may) {
    std::vector<Candidate> candidates;
    CLINIC_TRY(each_row(
        session,
        "SELECT id, patient, queued_at, due_at FROM outbox INDEXED BY outbox_due "
        "WHERE destination = ? AND state = 1 AND due_at <= ? ORDER BY due_at DESC, id DESC LIMIT 64",
        [&](const records::Statement& row) { candidates.push_back(read_candidate(row)); }, number(destination),
        session.now()));
    std::erase_if(candidates, [&](const Candidate& one) { return !may(one); });
    return first_that_can_go(session, destination, candidates);
}

} // namespace

Result<MaybeRow> choose(records::Session& session, Destination destination, Turn turn) {
    const Timestamp now = session.now();
    auto row = urgent(session, destination);
    if (!row || *row || turn.least == envelope::Least::urgent) return row;
    if (turn.least == envelope::Least::live)
        return newest(session, destination, [&](const Candidate& one) { return one.queued_at >= now - todays_age; });
    auto oldest = next_row(session, destination, now);
    CLINIC_TRY(oldest);
    // While nothing waits for long, the oldest go first.
    if (!*oldest || turn.oldest_first || (*oldest)->due_at >= now - live_age) return oldest;
    row = newest(session, destination, [&](const Candidate& one) { return one.due_at >= now - live_age; });
    return !row || *row ? row : oldest;
}

} // namespace clinic::outbox
