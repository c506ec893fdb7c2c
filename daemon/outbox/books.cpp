#include <array>

#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

constexpr std::int64_t micros_per_second = 1'000'000;

std::int64_t age_s(Timestamp now, std::int64_t at) {
    return std::max<std::int64_t>(0, (now.micros - at) / micros_per_second);
}

std::int64_t* column(Books& books, std::int64_t state) {
    if (state == 0) return &books.released;
    switch (static_cast<State>(state)) {
    case State::pending: return &books.pending;
    case State::leased: return &books.leased;
    case State::parked: return &books.parked;
    case State::dead: return &books.dead;
    case State::delivered: return &books.delivered;
    case State::superseded: return &books.superseded;
    case State::withdrawn: return &books.withdrawn;
    case State::discarded: return &books.discarded;
    }
    return nullptr;
}

} // namespace

const char* name(State state) {
    switch (state) {
    case State::pending: return "pending";
    case State::leased: return "leased";
    case State::parked: return "parked";
    case State::dead: return "dead";
    case State::delivered: return "delivered";
    case State::superseded: return "superseded";
    case State::withdrawn: return "withdrawn";
    case State::discarded: return "discarded";
    }
    return "";
}

Result<records::OutboxCounters> counters_of(records::Session& session, envelope::Destination destination) {
    const records::RowKey key{.number = number(destination)};
    if (const auto kept = session.kept<records::OutboxCounters>(key)) return *kept;
    records::OutboxCounters counters;
    CLINIC_TRY(each_row(
        session, "SELECT state, envelopes FROM outbox_counter WHERE destination = ?",
        [&](const records::Statement& row) {
            const auto state = static_cast<std::uint64_t>(row.integer(0));
            if (state < counters.envelopes.size()) counters.envelopes[state] = row.integer(1);
        },
        number(destination)));
    return session.keep(key, counters);
}

bool Books::balanced() const {
    return released == pending + leased + delivered + superseded + withdrawn + parked + dead + discarded;
}

Result<Books> Outbox::books(records::Session& session, envelope::Destination destination) {
    Books books;
    const auto counters = counters_of(session, destination);
    CLINIC_TRY(counters);
    for (std::size_t state = 0; state < counters->envelopes.size(); ++state)
        *column(books, static_cast<std::int64_t>(state)) = counters->envelopes[state];
    CLINIC_TRY(first_row(
        session, "SELECT min(queued_at) FROM outbox WHERE destination = ? AND state = 1",
        [&](const records::Statement& row) {
            if (!row.is_null(0)) books.oldest_pending_s = age_s(session.now(), row.integer(0));
        },
        number(destination)));
    CLINIC_TRY(first_row(
        session, "SELECT delivered_at, code FROM outbox_lane WHERE destination = ?",
        [&](const records::Statement& row) {
            if (!row.is_null(0)) books.last_delivered_s = age_s(session.now(), row.integer(0));
            books.last_code = row.text(1);
        },
        number(destination)));
    return books;
}

} // namespace clinic::outbox
