// Faults that wait for the next requests they fit, first in first out, and the knobs.
//   Threads: one at a time; the service's lock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

namespace clinic::emulator {

enum class Fault : std::uint8_t {
    timeout_after_effect, // creates, writes and tokens: the effect happens, the answer never comes
    created_422,          // creates and writes: the effect happens, the answer is 422
    server_error,         // 500, 502, 503, 504 in turn
    slow,                 // the effect at once, the answer after `slow_ms`
    html_body,            // 502 with a page of HTML
    token_expired,        // 401
    rate_limited,         // 429, in turn with and without Retry-After
    scope_lost,           // 401 with the words of a missing scope: no token helps
    forbidden,            // 403
    message_as_text,      // 422 whose message is one text and no list
    silent_429,           // 429 without a body
    html_429,             // 429 with a page of HTML
    accepted_and_dropped, // creates and writes: answered as ever, and what the path names stays as it was
    person_in_error, // creates and writes: 400, 422, 502 and another 400 in turn, each with the `text` of the fault in
                     // it
    contended,       // 408, 409, 423, 425 in turn
    timeout_said,    // creates and writes: the effect happens, the answer is 408
    dated_429,       // 429 with Retry-After as a date, `retry_after_s` ahead
    gzip_unasked,    // the answer in gzip, whatever the request accepts
    duplicate_400,   // creates of contacts: 400 that names one, as if it were a duplicate
};

// What a request is to a fault. `contact`: a write that makes one.
enum class Asks : std::uint8_t { read, write, contact };

std::optional<Fault> fault_named(std::string_view name); // "timeout-after-effect", …
const char* name(Fault fault);

class Faults {
public:
    void queue(Fault fault, int count) { queue_.push_back({fault, count}); }
    std::optional<Fault> take(Asks asks);
    int waiting() const;

private:
    struct Entry {
        Fault fault;
        int count;
    };
    std::deque<Entry> queue_;
};

// Requests in a fixed window of ten seconds, and in a day.
class Throttle {
public:
    static constexpr std::int64_t window_ms = 10'000;
    static constexpr std::int64_t day_ms = 86'400'000;
    static constexpr int daily_max = 200'000;

    bool take(std::int64_t now_ms); // false: over the limit
    int remaining() const;
    int daily_remaining() const;

    int per_window = 100, per_day = daily_max;

private:
    std::int64_t window_from_ms_ = 0, day_from_ms_ = 0;
    int used_ = 0, used_today_ = 0;
};

} // namespace clinic::emulator
