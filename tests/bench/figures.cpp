#include "tests/bench/figures.h"

#include <algorithm>
#include <cmath>

namespace clinic::bench {

void Spans::add(const Spans& others) {
    seconds_.insert(seconds_.end(), others.seconds_.begin(), others.seconds_.end());
}

double Spans::percentile_ms(double percent) const {
    if (seconds_.empty()) return 0;
    std::vector<double> sorted = seconds_;
    std::sort(sorted.begin(), sorted.end());
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
    return 1'000 * sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

nlohmann::json Spans::said() const {
    return {{"p50_ms", percentile_ms(50)},
            {"p95_ms", percentile_ms(95)},
            {"p99_ms", percentile_ms(99)},
            {"most_ms", percentile_ms(100)}};
}

} // namespace clinic::bench
