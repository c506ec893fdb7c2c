#include "sync/poll/pass.h"

#include <algorithm>
#include <utility>

namespace clinic::poll {

void Pass::begin(std::int64_t told_since_ms) {
    since_ms_ = told_since_ms;
    now_.clear();
}

bool Pass::end() {
    std::ranges::sort(now_);
    now_.erase(std::unique(now_.begin(), now_.end()), now_.end());
    const bool missing = !std::ranges::includes(now_, before_);
    before_ = std::exchange(now_, {});
    whole_since_ms_ = since_ms_;
    return missing;
}

} // namespace clinic::poll
