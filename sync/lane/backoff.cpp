#include "sync/lane/backoff.h"

#include <algorithm>
#include <span>

#include "crypto/base/ids.h"

namespace clinic::lane {
namespace {

constexpr int doublings_max = 20; // beyond any cap in use, and far from overflow

std::uint64_t random_number() {
    std::uint64_t value = 0;
    base::random_bytes(std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

} // namespace

base::Micros full_jitter(base::Micros base, base::Micros cap, int tries) {
    const auto doubled = base * (std::int64_t{1} << std::clamp(tries, 0, doublings_max));
    const auto bound = static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::min(doubled, cap).count()));
    return base::Micros{static_cast<std::int64_t>(random_number() % (bound + 1))};
}

base::Micros Backoff::next() {
    const auto span = full_jitter(limits_.base, limits_.cap, tries_);
    tries_ = std::min(tries_ + 1, doublings_max);
    return std::max(span, limits_.floor);
}

} // namespace clinic::lane
