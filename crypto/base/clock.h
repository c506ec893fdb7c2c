// Time as the box counts it. The store keeps UTC microseconds since the epoch; the edges write RFC 3339.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>

namespace clinic::base {

using Micros = std::chrono::microseconds;

// UTC, microseconds since 1970-01-01T00:00:00Z.
struct Timestamp {
    std::int64_t micros = 0;
    friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
    friend Timestamp operator+(Timestamp at, Micros span) { return {at.micros + span.count()}; }
    friend Timestamp operator-(Timestamp at, Micros span) { return {at.micros - span.count()}; }
    friend Micros operator-(Timestamp a, Timestamp b) { return Micros{a.micros - b.micros}; }
};

// 2026-11-01: the month of this release. No clock is right before it.
inline constexpr Timestamp this_release{1'793'491'200'000'000};

// "2026-11-21T10:00:00Z", whole seconds.
std::string rfc3339(Timestamp at);

class Clock {
public:
    virtual ~Clock() = default;
    virtual Timestamp now() const = 0;    // UTC as the box believes it
    virtual Micros monotonic() const = 0; // since boot; never goes back
};

class SystemClock final : public Clock {
public:
    Timestamp now() const override;
    Micros monotonic() const override;
};

} // namespace clinic::base

namespace clinic {
using base::Clock;
using base::Timestamp;
} // namespace clinic
