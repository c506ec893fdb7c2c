// The bookings that are looked at again after a round of polling, since the clinic's side moves too: those to come that
// stand, and those that differ.
//   Bounds:  of either so many a round; the next one goes on behind them, and then from the first again. How far it is
//            stands in memory.
//   Errors:  those of the store.
//   Threads: the store's.
#pragma once

#include "daemon/crm/objects.h"

namespace clinic::crm {

inline constexpr int again_a_round = 500;

class Again {
public:
    explicit Again(int rows_max) : rows_max_{rows_max} {}

    // By row, each once.
    struct Rows {
        std::vector<std::int64_t> slots, bookings; // to be compared with the clinic's schedule, with its appointment
    };
    Result<Rows> next(records::Transaction& txn);

private:
    Result<std::vector<std::int64_t>> to_come(records::Transaction& txn);
    Result<std::vector<Conflict>> differing(records::Transaction& txn);

    const int rows_max_;
    std::int64_t until_quarter_ = 0, row_ = 0; // the last of those to come
    std::int64_t conflict_ = 0;
};

} // namespace clinic::crm
