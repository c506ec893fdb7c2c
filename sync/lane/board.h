// What the lanes are doing, in one place: written by each lane, told to clinicd by the reporter.
//   Threads: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "sync/envelope/frame.h"

namespace clinic::lane {

class Board {
public:
    explicit Board(const Clock& clock) : clock_{clock} {}

    void crm(envelope::LaneState state, std::string code);
    void mqtt(envelope::LaneState state, std::string code);
    void location(std::vector<envelope::LocationFault> faults); // what GHL's location lacks
    void read_back(bool kept); // a contact was read after a write: it holds what was written
    void relay(bool up);       // whether we hear what clinic-relay tells; not called: it is not set up
    enum class Heard : std::uint8_t { told, looked, refused, bad };
    void heard(Heard what, Timestamp at);
    // Asked with each word to clinicd, from any thread: must not wait. Before anybody asks.
    void requests_of_day(std::function<std::optional<envelope::RequestsOfDay>()> source);
    void https_date(Timestamp server); // from a Date header over verified TLS, just now
    void watched(bool somebody);       // clinicd's word: somebody looks at the page

    // The kernel's word, the HTTPS clock against ours (a quarter of an hour long), and both lanes.
    envelope::TimeState said() const;
    bool mqtt_up() const;
    bool watched() const;

    std::uint64_t version() const;
    // Until something differs from `seen`, the span is over, or stop.
    void wait_change(std::stop_token stop, std::uint64_t seen, base::Micros span);

private:
    void put(envelope::LaneState& state, std::string& code, envelope::LaneState to, std::string why);

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    std::uint64_t version_ = 0;
    envelope::LaneState crm_ = envelope::LaneState::down, mqtt_ = envelope::LaneState::down;
    std::string crm_code_ = "not_configured", mqtt_code_ = "not_configured";
    std::vector<envelope::LocationFault> location_;
    std::deque<bool> kept_; // the newest
    std::function<std::optional<envelope::RequestsOfDay>()> requests_;
    std::optional<envelope::Webhooks> webhooks_;
    struct Seen {
        Timestamp server;
        base::Micros at;
    };
    std::optional<Seen> date_;
    bool watched_ = false;
};

} // namespace clinic::lane
