// Webhooks that came lately, by a digest of their id: one that was taken is not published again.
//   Bounds:  entries_max; reached: the oldest makes room and is counted, and the box drops what it has seen. An entry
//            is kept for `kept`, which is as long as a webhook's own time lets it in.
//   Threads: any.
//   Source:  facts/ghl-api §4.4.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "crypto/base/clock.h"

namespace clinic::relay {

using WebhookId = std::array<std::byte, 16>; // of a digest

class ReplayTable {
public:
    ReplayTable(std::size_t entries_max, base::Micros kept) : entries_max_{entries_max}, kept_{kept} {}

    enum class Entry : std::uint8_t { fresh, under_way, taken };
    Entry enter(const WebhookId& id, base::Micros monotonic); // fresh: it is under way from now on
    void take(const WebhookId& id);                           // the broker has it
    void forget(const WebhookId& id);                         // it may come again

    std::size_t size() const;
    std::int64_t displaced() const; // made room before their time

private:
    struct Spread {
        std::size_t operator()(const WebhookId& id) const { // a digest is spread already
            std::size_t out = 0;
            std::memcpy(&out, id.data(), sizeof out);
            return out;
        }
    };
    struct State {
        base::Micros entered;
        bool taken = false;
    };
    void make_room(base::Micros now);

    const std::size_t entries_max_;
    const base::Micros kept_;
    mutable std::mutex mutex_;
    std::unordered_map<WebhookId, State, Spread> known_;
    std::deque<std::pair<WebhookId, base::Micros>> order_; // oldest first; those forgotten stand in it until their time
    std::int64_t displaced_ = 0;
};

} // namespace clinic::relay
