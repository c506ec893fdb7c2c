// What waits to leave, by kind and by age: for whoever asks, not for each look.
//   Bounds:  the oldest `waiting_looked_at_max` are looked at; `looked_at` says how many that were.
//   Threads: the store's (it takes its session).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/outbox/outbox.h"

namespace clinic::outbox {

inline constexpr int waiting_looked_at_max = 20'000;

struct Waiting {
    struct OfKind {
        envelope::Kind kind{};
        std::int64_t envelopes = 0;
        Timestamp oldest{}; // when it was queued
    };
    std::vector<OfKind> kinds; // the oldest first
    struct {
        std::int64_t minute = 0, hour = 0, day = 0, older = 0; // up to so old
    } ages;
    std::int64_t looked_at = 0;
    std::optional<Timestamp> next_try; // when the next one that nothing blocks is due; in the past: now
};

Result<Waiting> waiting(records::Session& session, envelope::Destination destination);

} // namespace clinic::outbox
