#include "daemon/outbox/waiting.h"

#include <algorithm>

#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

void count(Waiting& all, envelope::Kind kind, Timestamp queued) {
    auto found = std::find_if(all.kinds.begin(), all.kinds.end(), [&](const auto& one) { return one.kind == kind; });
    if (found == all.kinds.end()) found = all.kinds.insert(found, {.kind = kind, .oldest = queued});
    ++found->envelopes;
    ++all.looked_at;
}

} // namespace

Result<Waiting> waiting(records::Session& session, envelope::Destination destination) {
    Waiting all;
    const Timestamp now = session.now();
    CLINIC_TRY(each_row(
        session,
        "SELECT kind, queued_at FROM outbox INDEXED BY outbox_age WHERE destination = ? AND state = 1 "
        "ORDER BY queued_at LIMIT ?",
        [&](const records::Statement& row) {
            const Timestamp queued{row.integer(1)};
            count(all, static_cast<envelope::Kind>(row.integer(0)), queued);
            const auto age = now - queued;
            auto& place = age <= std::chrono::minutes{1}  ? all.ages.minute
                          : age <= std::chrono::hours{1}  ? all.ages.hour
                          : age <= std::chrono::hours{24} ? all.ages.day
                                                          : all.ages.older;
            ++place;
        },
        number(destination), waiting_looked_at_max));
    const auto due = Outbox::next_due(session, destination);
    CLINIC_TRY(due);
    all.next_try = *due;
    return all;
}

} // namespace clinic::outbox
