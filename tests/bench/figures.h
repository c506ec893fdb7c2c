// Spans, and what is said of many of them.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

namespace clinic::bench {

using Instant = std::chrono::steady_clock::time_point;

inline Instant now() {
    return std::chrono::steady_clock::now();
}
inline double seconds_between(Instant from, Instant to) {
    return std::chrono::duration<double>(to - from).count();
}

// In milliseconds: p50, p95, p99, most; none: zeros.
class Spans {
public:
    void add(double seconds) { seconds_.push_back(seconds); }
    void add(const Spans& others);
    std::size_t count() const { return seconds_.size(); }
    double percentile_ms(double percent) const; // nearest rank
    nlohmann::json said() const;

private:
    std::vector<double> seconds_;
};

} // namespace clinic::bench
