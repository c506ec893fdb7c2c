// How long what has an end of its own is kept: as the clinic's template says, within bounds that the code sets. Records
// have none: they are kept until they are erased.
//   Units:   days and years; a year is 366 days.
//   Errors:  malformed: out of bounds.
//   Threads: any, each with its session.
//   Source:  docs/setup.md, "Templates".
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/outbox/outbox.h"
#include "daemon/records/quarantine.h"

namespace clinic::daemon {

struct Retention {
    int quarantine_days = records::quarantine_life_days;
    int dead_letter_days = outbox::dead_life_days;
    int ledger_years = outbox::ledger_life_days / days_a_year; // of requests that served an envelope

    static constexpr int days_a_year = 366;
    base::Micros quarantine() const { return std::chrono::hours{24 * quarantine_days}; }
    base::Micros dead_letters() const { return std::chrono::hours{24 * dead_letter_days}; }
    base::Micros ledger() const { return std::chrono::hours{24 * days_a_year * ledger_years}; }
};

struct Bound {
    int least, most;
};
inline constexpr Bound quarantine_days_bound{7,
                                             records::quarantine_life_days}; // it holds what people sent in the clear
inline constexpr Bound dead_letter_days_bound{30, 365};
inline constexpr Bound ledger_years_bound{6, 10}; // an accounting of disclosures looks back six years

Result<Retention> retention(records::Session& session); // as it ships, where none was set
Result<void> set_retention(records::Transaction& txn, const Retention& retention);
nlohmann::json as_written(const Retention& retention); // as a template has it

} // namespace clinic::daemon
