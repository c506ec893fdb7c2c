// One webhook, from its bytes to the answer: whose it is, whether it is for us, what of it goes to which box.
//   Bounds:  a webhook counts for `window` from the time that HighLevel signed into it.
//   Errors:  none leave: each is an HTTP answer and a number. HighLevel tries again after 429 and after nothing else,
//   so
//            what may go better later is 429 and what may not is anything else.
//   Threads: any.
//   Source:  facts/ghl-api §4.3, §4.4; docs/relay.md, "What it answers".
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/listener/head.h"
#include "sync/envelope/frame.h"
#include "sync/relay/publisher.h"
#include "sync/relay/replay_table.h"
#include "sync/relay/signature.h"

namespace clinic::relay {

struct Box {
    std::string name;
    envelope::WriteRules rules; // of its location
};
using Boxes = std::map<std::string, Box>; // by the location's id

enum class Verdict : std::uint8_t {
    published,  // 200: the broker has it
    again,      // 200: it was published before
    not_told,   // 200: a type that boxes are not told
    incomplete, // 200: it lacks what its type must say, and would lack it again
    unsigned_,  // 401
    unreadable, // 400
    not_ours,   // 403: another app's, or of a location that is none of ours
    stale,      // 403: from outside the window, or without a time
    under_way,  // 429: the same is on its way to the broker
    held_up,    // 429: the broker does not take it now
};
inline constexpr std::size_t verdict_count = 10;
int status_of(Verdict verdict);

struct ReceptionOptions {
    std::string app;
    Boxes boxes;
    base::Micros window{std::chrono::minutes{90}};
    base::Micros ahead_max{std::chrono::minutes{5}}; // of our clock
    std::size_t replay_entries_max = 262'144;
};

class Reception {
public:
    Reception(ReceptionOptions options, Signature signature, Publisher& publisher, const Clock& clock);

    Verdict take(const listener::Head& head, std::string_view body);
    std::array<std::int64_t, verdict_count> counts() const;
    const ReplayTable& replays() const { return replays_; }

private:
    Verdict decide(const listener::Head& head, std::string_view body);
    bool is_in_time(std::int64_t sent_ms) const;
    Verdict hand_on(const WebhookId& id, const std::string& box, const std::string& message);

    const ReceptionOptions options_;
    const Signature signature_;
    Publisher& publisher_;
    const Clock& clock_;
    ReplayTable replays_;
    std::array<std::atomic<std::int64_t>, verdict_count> counts_{};
};

} // namespace clinic::relay
