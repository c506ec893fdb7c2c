// Private to clinic::ghl: the requests of one lease, in turn, and the settlement they end in.
#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "sync/channel/ghl/ghl_channel.h"

namespace clinic::ghl {

class Conversation {
public:
    struct Means {
        GhlClient& client;
        lane::RateBudget& budget;
        lane::Gate& gate;
        const ChannelTimes& times;
    };
    Conversation(const Means& means, const envelope::Lease& lease, lane::Priority priority, GhlClient::Marker marker,
                 std::stop_token stop);

    // The answer, when it is one to go on with (ok, or a duplicate); otherwise this is over and `delivery` says how.
    std::optional<Exchange> ask(const Call& wanted);
    // Where GHL refused the key that the newest request showed, and another one is at hand: once more, with a line of
    // its own in the ledger. Otherwise nothing is asked.
    std::optional<Exchange> ask_with_another_token(const Call& wanted);

    void expect(Expected expected) { marker_.expected = std::move(expected); } // of the next contact that is read
    void contact(std::string id) { delivery_.settle.contact = std::move(id); }
    void object(std::string id) { delivery_.settle.object = std::move(id); }
    lane::Delivery delivered();
    lane::Delivery retry(std::string code, base::Micros after);
    lane::Delivery against(std::string code); // the request's own fault
    lane::Delivery look_again();              // nothing found, while that proves nothing
    lane::Delivery delivery() { return delivery_; }
    base::Micros backoff() const;
    bool absent() const { return absent_; } // GHL has nothing of the newest request's id
    bool dry() const { return dry_; }       // nothing is sent: the newest verdict was a dry run's

private:
    bool budget();
    std::optional<envelope::Verdict> verdict(const Call& call);
    void note(std::int64_t attempt, const Exchange& exchange);
    bool over(const Exchange& exchange);
    bool over_for_itself(const std::string& code);

    Means means_;
    const envelope::Lease& lease_;
    lane::Priority priority_;
    GhlClient::Marker marker_;
    std::stop_token stop_;
    lane::Delivery delivery_;
    bool dry_ = false, absent_ = false, another_token_ = false;
};

} // namespace clinic::ghl
