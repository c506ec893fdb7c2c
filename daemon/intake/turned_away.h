// Who knocked at a door of MLLP and was not on its list: for the technician who looks why nothing arrives.
//   Bounds:  the newest turned_away_max addresses; kept in memory alone.
//   Threads: any.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/intake/address_list.h"

namespace clinic::intake {

inline constexpr std::size_t turned_away_max = 16;

class TurnedAway {
public:
    struct Caller {
        Address address{};
        bool secured = false; // at the door for TLS
        std::int64_t times = 0;
        Timestamp last_at{};
    };

    void note(const Address& address, bool secured, Timestamp at) {
        const std::scoped_lock lock{mutex_};
        auto known = std::find_if(callers_.begin(), callers_.end(),
                                  [&](const Caller& one) { return one.address == address && one.secured == secured; });
        if (known == callers_.end()) {
            if (callers_.size() == turned_away_max) callers_.erase(callers_.begin());
            known = callers_.insert(callers_.end(), {address, secured});
        }
        ++known->times;
        known->last_at = at;
        std::rotate(known, known + 1, callers_.end());
    }
    // The one that came last stands last.
    std::vector<Caller> callers() const {
        const std::scoped_lock lock{mutex_};
        return callers_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<Caller> callers_; // by the time they last came
};

} // namespace clinic::intake
