#include "daemon/crm/again.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "daemon/outbox/sql.h"

namespace clinic::crm {

using records::Statement;
using records::Transaction;

// One more than a round looks at says that there are more.
Result<std::vector<std::int64_t>> Again::to_come(Transaction& txn) {
    const std::int64_t next_quarter = txn.now().micros / envelope::quarter_us + 1;
    if (until_quarter_ < next_quarter) until_quarter_ = next_quarter, row_ = 0;
    std::vector<std::pair<std::int64_t, std::int64_t>> found;
    CLINIC_TRY(outbox::each_row(
        txn,
        "SELECT until_quarter, row FROM crm_object INDEXED BY crm_object_slot"
        " WHERE until_quarter >= ?1 AND (until_quarter > ?1 OR row > ?2) ORDER BY until_quarter, row LIMIT ?3",
        [&](const Statement& row) { found.emplace_back(row.integer(0), row.integer(1)); }, until_quarter_, row_,
        rows_max_ + 1));
    const bool more = found.size() > static_cast<std::size_t>(rows_max_);
    if (more) found.pop_back();
    std::tie(until_quarter_, row_) = more ? found.back() : std::pair<std::int64_t, std::int64_t>{};
    std::vector<std::int64_t> rows;
    rows.reserve(found.size());
    for (const auto& one : found) rows.push_back(one.second);
    return rows;
}

Result<std::vector<Conflict>> Again::differing(Transaction& txn) {
    auto found = open_conflicts(txn, rows_max_ + 1, conflict_);
    CLINIC_TRY(found);
    const bool more = found->size() > static_cast<std::size_t>(rows_max_);
    if (more) found->pop_back();
    conflict_ = more ? found->back().number : 0;
    return found;
}

Result<Again::Rows> Again::next(Transaction& txn) {
    auto rows = to_come(txn);
    CLINIC_TRY(rows);
    const auto differ = differing(txn);
    CLINIC_TRY(differ);
    Rows out{.slots = *rows, .bookings = std::move(*rows)};
    for (const Conflict& one : *differ) {
        if (one.field == Field::slot) out.slots.push_back(one.object);
        if (is_of_bookings(one.field)) out.bookings.push_back(one.object);
    }
    for (auto* all : {&out.slots, &out.bookings}) {
        std::ranges::sort(*all);
        all->erase(std::unique(all->begin(), all->end()), all->end());
    }
    return out;
}

} // namespace clinic::crm
