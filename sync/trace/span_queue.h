// Spans on their way to a collector: from the first byte of a message to GHL's answer to what it released.
//   Nobody is in one: names are literals of ours, values are numbers and our own codes, and the trace's id is random.
//   Bounds:  spans_max; full: the newest are dropped and counted. Nothing waits for a collector. Of `once` the last
//            roots_max are remembered.
//   Threads: any.
//   Source:  docs/observability.md; W3C Trace Context.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::trace {

inline constexpr std::size_t spans_max = 2'048, roots_max = 4'096;

struct Span {
    std::string trace;        // 32 hexadecimal digits
    std::uint64_t span = 0;   // never 0
    std::uint64_t parent = 0; // 0: the first of its trace
    Literal name = "";
    bool leaves_the_box = false; // a request of ours to somebody
    bool once = false;           // left out where it was added before, and not lost
    Timestamp start{}, end{};
    bool failed = false;
    std::vector<std::pair<Literal, std::int64_t>> numbers = {};
    std::vector<std::pair<Literal, std::string>> words = {}; // enumerations and codes of ours: ^[a-z0-9_.]*$
};

std::uint64_t random_span();
// The first of a trace, the same whoever asks: its last 16 digits, or its first where those are 0.
std::uint64_t root_span(const std::string& trace);

class SpanQueue {
public:
    explicit SpanQueue(const Clock& clock) : clock_{clock} {}

    const Clock& clock() const { return clock_; }
    void add(std::vector<Span> spans); // all of them, or none; but see `once`
    // What there is, at most so many; waits up to `span` for the first.
    std::vector<Span> take(std::size_t count_max, base::Micros span, std::stop_token stop);
    void lost(const std::vector<Span>& taken); // not taken in by the collector
    std::int64_t dropped() const;

private:
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::condition_variable_any added_;
    std::vector<Span> spans_;
    std::deque<std::uint64_t> roots_; // of `once`, oldest first
    std::int64_t dropped_ = 0;
};

// ExportTraceServiceRequest in OTLP's JSON form. `box`: the device certificate's name.
std::string to_otlp(const std::vector<Span>& spans, const std::string& box);

} // namespace clinic::trace
