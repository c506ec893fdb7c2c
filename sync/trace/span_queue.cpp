#include "sync/trace/span_queue.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "crypto/base/ids.h"

namespace clinic::trace {

std::uint64_t random_span() {
    std::uint64_t span = 0;
    while (span == 0) {
        std::array<std::byte, sizeof span> random{};
        base::random_bytes(random);
        std::memcpy(&span, random.data(), sizeof span);
    }
    return span;
}

std::uint64_t root_span(const std::string& trace) {
    constexpr std::size_t digits = 2 * sizeof(std::uint64_t);
    const auto half = [&](std::size_t from) { return std::strtoull(trace.substr(from, digits).c_str(), nullptr, 16); };
    const std::uint64_t last = half(digits);
    return last != 0 ? last : half(0);
}

void SpanQueue::add(std::vector<Span> spans) {
    {
        const std::lock_guard lock{mutex_};
        std::erase_if(spans, [this](const Span& one) { return one.once && std::ranges::count(roots_, one.span) > 0; });
        if (spans_.size() + spans.size() > spans_max) {
            dropped_ += static_cast<std::int64_t>(spans.size());
            return;
        }
        for (const Span& one : spans)
            if (one.once) roots_.push_back(one.span);
        while (roots_.size() > roots_max) roots_.pop_front();
        std::move(spans.begin(), spans.end(), std::back_inserter(spans_));
    }
    added_.notify_one();
}

std::vector<Span> SpanQueue::take(std::size_t count_max, base::Micros span, std::stop_token stop) {
    std::unique_lock lock{mutex_};
    added_.wait_for(lock, stop, span, [this] { return !spans_.empty(); });
    const auto end = spans_.begin() + static_cast<std::ptrdiff_t>(std::min(count_max, spans_.size()));
    std::vector<Span> taken{std::make_move_iterator(spans_.begin()), std::make_move_iterator(end)};
    spans_.erase(spans_.begin(), end);
    return taken;
}

void SpanQueue::lost(const std::vector<Span>& taken) {
    const std::lock_guard lock{mutex_};
    dropped_ += static_cast<std::int64_t>(taken.size());
    for (const Span& one : taken)
        if (one.once) std::erase(roots_, one.span);
}

std::int64_t SpanQueue::dropped() const {
    const std::lock_guard lock{mutex_};
    return dropped_;
}

} // namespace clinic::trace
