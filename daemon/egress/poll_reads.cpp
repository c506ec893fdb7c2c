#include "daemon/egress/poll_reads.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/days.h"
#include "crypto/base/json.h"
#include "sync/envelope/names.h"

namespace clinic::egress {
namespace {

using envelope::StepOutcome;
using outbox::Ledger;

std::string said_by(std::int64_t requests, Timestamp last, const std::map<std::string, std::int64_t>& ended) {
    return base::dump_json({{"requests", requests}, {"last_at", base::rfc3339(last)}, {"ended", ended}});
}

} // namespace

Result<std::int64_t> PollReads::open(records::Transaction& txn, const envelope::Attempt& attempt, bool dry) {
    const auto digest = Ledger::digest_of(attempt);
    const Timestamp now = txn.now();
    const auto day = base::local_date(now);
    const auto counts = [&](const Line& line) { return line.route == attempt.route && line.day == day; };
    if (const auto found = std::ranges::find_if(lines_, counts); found != lines_.end()) {
        count(*found, digest, now, dry);
        return found->number;
    }
    CLINIC_TRY(write(txn));
    const auto number = Ledger::open_line(txn, std::nullopt, attempt, dry ? Literal{"dry_run"} : "open");
    CLINIC_TRY(number);
    Line line{.number = *number, .route = attempt.route, .day = day, .digest = digest, .last = now};
    if (dry) line.under_way = 0;
    txn.on_commit([this, line, day] {
        forget_what_is_over(day);
        lines_.push_back(line);
    });
    return *number;
}

void PollReads::count(Line& line, const crypto::Digest& digest, Timestamp at, bool dry) {
    line.digest = crypto::digest(line.digest, digest);
    line.last = at;
    ++line.requests;
    if (!dry) ++line.under_way;
    ++line.counted;
}

bool PollReads::close(const StepOutcome& outcome) {
    const auto found = std::ranges::find(lines_, outcome.attempt, &Line::number);
    if (found == lines_.end()) return false;
    found->under_way = std::max<std::int64_t>(found->under_way - 1, 0);
    ++found->ended[envelope::name_of(outcome.result) +
                   (outcome.status != 0 ? " " + std::to_string(outcome.status) : std::string{})];
    found->newest = outcome;
    ++found->counted;
    return true;
}

Result<void> PollReads::write(records::Transaction& txn) {
    for (auto& line : lines_) {
        if (line.counted == line.written) continue;
        const auto said = said_by(line.requests, line.last, line.ended);
        CLINIC_TRY(Ledger::count_line(txn, line.number, line.digest, said,
                                      line.ended.empty() ? std::nullopt : std::optional{line.newest}));
        txn.on_commit([this, number = line.number, counted = line.counted] {
            for (auto& one : lines_)
                if (one.number == number) one.written = counted;
        });
    }
    return {};
}

void PollReads::forget_what_is_over(std::chrono::sys_days day) {
    std::erase_if(lines_, [&](const Line& line) {
        return line.day != day && line.under_way == 0 && line.counted == line.written;
    });
}

} // namespace clinic::egress
