#include "daemon/retention.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::daemon {
namespace {

constexpr Literal key = "retention";

bool within(int value, Bound bound) {
    return bound.least <= value && value <= bound.most;
}

bool is_allowed(const Retention& kept) {
    return within(kept.quarantine_days, quarantine_days_bound) &&
           within(kept.dead_letter_days, dead_letter_days_bound) && within(kept.ledger_years, ledger_years_bound);
}

} // namespace

Result<Retention> retention(records::Session& session) {
    const auto stored = records::setting(session, key);
    CLINIC_TRY(stored);
    if (!*stored) return Retention{};
    const auto said = base::parse_json(**stored, 256, 2);
    CLINIC_TRY(said);
    const Retention usual;
    Retention kept{.quarantine_days = said->value("quarantine_days", usual.quarantine_days),
                   .dead_letter_days = said->value("dead_letter_days", usual.dead_letter_days),
                   .ledger_years = said->value("ledger_years", usual.ledger_years)};
    return is_allowed(kept) ? kept : usual;
}

Result<void> set_retention(records::Transaction& txn, const Retention& kept) {
    if (!is_allowed(kept))
        return Error{Errc::malformed, "the box does not keep things so long, or so short",
                     "quarantine 7 to 30 days, dead letters 30 to 365 days, what left 6 to 10 years"};
    return records::set_setting(txn, key, base::dump_json(as_written(kept)));
}

nlohmann::json as_written(const Retention& kept) {
    return {{"quarantine_days", kept.quarantine_days},
            {"dead_letter_days", kept.dead_letter_days},
            {"ledger_years", kept.ledger_years}};
}

} // namespace clinic::daemon
