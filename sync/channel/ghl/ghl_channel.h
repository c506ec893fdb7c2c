// Delivers leases to GHL: look up, create or write, each request asked for first and counted against the budget.
//   Errors:  as a Delivery; what an HTTP answer means is one table in answer.cpp.
//   Threads: any.
//   Source:  design, "From envelope to request", "What kills an envelope"; docs/ghl.md.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>

#include "sync/channel/ghl/ghl_client.h"
#include "sync/channel/ghl/surveyor.h"
#include "sync/lane/channel.h"
#include "sync/lane/rate_budget.h"

namespace clinic::ghl {

inline constexpr const char* absent_code = "absent"; // of a read: there is nothing of that id

struct ChannelTimes {
    base::Micros retry_base = std::chrono::seconds{1};
    base::Micros retry_cap = std::chrono::minutes{5};
    base::Micros hold = std::chrono::seconds{30};         // clinicd said "hold"
    base::Micros pipeline_wait = std::chrono::minutes{5}; // of a case or a booking that GHL has no place for
    base::Micros go_life = std::chrono::seconds{10};      // from the question on: a "go" is used by then or not at all
    base::Micros budget_wait_max = std::chrono::seconds{5}; // a longer wait gives the lease back
    // Deliveries: one is read back, and each that takes back; it is written again where GHL keeps something else.
    int read_back_every = 50; // 0: none is
    int written_again_max = 3;
};

class Conversation;

class GhlChannel final : public lane::Channel, public lane::Reach {
public:
    // `surveyor`: null: what the location lacks is not looked at. `board`: told of what is read back.
    GhlChannel(GhlClient& client, const WriteRules& rules, lane::RateBudget& budget, ChannelTimes times = {},
               Surveyor* surveyor = nullptr, lane::Board* board = nullptr);

    lane::Delivery deliver(const envelope::Lease& lease, lane::Gate& gate, std::stop_token stop) override;
    lane::Delivery probe(lane::Gate& gate, std::stop_token stop) override;
    // A read of the polling. `take` gets the body of a good answer, for a parser to the allow-list; not called: the
    // delivery says why.
    lane::Delivery read(const Call& call, std::function<void(std::string_view)> take, lane::Gate& gate,
                        std::stop_token stop);
    base::Micros unanswered() const override;
    std::optional<lane::Fault> greet(std::stop_token stop) override;

private:
    GhlClient& client_;
    const WriteRules& rules_;
    lane::RateBudget& budget_;
    const ChannelTimes times_;
    std::atomic<bool> dry_{false}; // clinicd's newest word
    Surveyor* const surveyor_;
    lane::Board* const board_;
    struct NotKept { // a lease that is written again: read back again too
        std::int64_t lease = 0;
        int times = 0;
    };
    bool is_read_back(const envelope::Lease& lease);
    bool may_write_again(const envelope::Lease& lease);
    // `kept`: of what was read back, whether it is as it was written.
    lane::Delivery deliver_contact(Conversation& talk, const envelope::Lease& lease, std::optional<bool>& kept);
    void note(const envelope::Lease& lease, bool kept);
    std::mutex mutex_;
    std::uint64_t written_ = 0; // contacts that were there
    std::deque<NotKept> not_kept_;
};

} // namespace clinic::ghl
