#include "sync/trace/span_queue.h"

#include <algorithm>
#include <array>
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

void SpanQueue::add(std::vector<Span> spans) {
    {
        const std::lock_guard lock{mutex_};
        if (spans_.size() + spans.size() > spans_max) {
            dropped_ += static_cast<std::int64_t>(spans.size());
            return;
        }
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

void SpanQueue::lost(std::size_t spans) {
    const std::lock_guard lock{mutex_};
    dropped_ += static_cast<std::int64_t>(spans);
}

std::int64_t SpanQueue::dropped() const {
    const std::lock_guard lock{mutex_};
    return dropped_;
}

} // namespace clinic::trace
