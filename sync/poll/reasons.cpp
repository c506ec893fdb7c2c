#include "sync/poll/reasons.h"

#include <algorithm>
#include <utility>

namespace clinic::poll {

void Reasons::add(envelope::CrmKind kind) {
    {
        const std::lock_guard lock{mutex_};
        fresh_.insert(kind);
        later_.insert(kind);
        later_at_ = clock_.monotonic() + again_;
    }
    changed_.notify_all();
}

std::optional<base::Micros> Reasons::due_locked() const {
    if (!fresh_.empty()) return not_before_;
    if (!later_.empty()) return std::max(later_at_, not_before_);
    return std::nullopt;
}

std::optional<base::Micros> Reasons::due() const {
    const std::lock_guard lock{mutex_};
    return due_locked();
}

Reasons::Kinds Reasons::take() {
    const std::lock_guard lock{mutex_};
    Kinds out = std::exchange(fresh_, {});
    if (later_.empty() || clock_.monotonic() < later_at_) return out;
    out.merge(later_);
    later_.clear();
    return out;
}

void Reasons::keep(const Kinds& kinds) {
    const std::lock_guard lock{mutex_};
    fresh_.insert(kinds.begin(), kinds.end());
}

void Reasons::space(base::Micros span) {
    const std::lock_guard lock{mutex_};
    not_before_ = clock_.monotonic() + span;
}

bool Reasons::wait(std::stop_token stop, base::Micros round_at) {
    std::unique_lock lock{mutex_};
    while (!stop.stop_requested()) {
        const auto now = clock_.monotonic(), look_at = due_locked().value_or(round_at);
        if (now >= round_at) return false;
        if (now >= look_at) return true;
        const auto seen = std::pair{fresh_, later_at_};
        changed_.wait_for(lock, stop, std::min(round_at, look_at) - now, [&] {
            return seen != std::pair{fresh_, later_at_};
        });
    }
    return false;
}

} // namespace clinic::poll
