#include "sync/relay/replay_table.h"

namespace clinic::relay {

ReplayTable::Entry ReplayTable::enter(const WebhookId& id, base::Micros monotonic) {
    const std::lock_guard lock{mutex_};
    make_room(monotonic);
    const auto [known, fresh] = known_.try_emplace(id, State{monotonic});
    if (!fresh) return known->second.taken ? Entry::taken : Entry::under_way;
    order_.emplace_back(id, monotonic);
    return Entry::fresh;
}

void ReplayTable::take(const WebhookId& id) {
    const std::lock_guard lock{mutex_};
    if (const auto known = known_.find(id); known != known_.end()) known->second.taken = true;
}

void ReplayTable::forget(const WebhookId& id) {
    const std::lock_guard lock{mutex_};
    known_.erase(id);
}

std::size_t ReplayTable::size() const {
    const std::lock_guard lock{mutex_};
    return known_.size();
}

std::int64_t ReplayTable::displaced() const {
    const std::lock_guard lock{mutex_};
    return displaced_;
}

void ReplayTable::make_room(base::Micros now) {
    while (!order_.empty()) {
        const auto& [id, entered] = order_.front();
        const bool over = now - entered >= kept_;
        if (!over && order_.size() < entries_max_) return;
        // one that was forgotten and came again has a later place in the order
        if (const auto known = known_.find(id); known != known_.end() && known->second.entered == entered) {
            known_.erase(known);
            if (!over) ++displaced_;
        }
        order_.pop_front();
    }
}

} // namespace clinic::relay
