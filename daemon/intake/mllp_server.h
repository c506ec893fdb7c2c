// HL7 senders on the LAN: one thread, one epoll, any number of connections; answers in the order of the frames.
//   Bounds:  MllpOptions. Reached: no reading until there is room (frames, answers), or no connection (addresses).
//   Errors:  start: malformed (address list), system. A connection's trouble is counted, logged and ends that connection.
//   Threads: one of its own; the handler is called on it, and answers come from any thread.
//   Sockets: takes a listening one; never makes or connects one (the filter of clinicd refuses that).
//   Source:  facts/health-interop §1.3.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "daemon/intake/mllp_decoder.h"

namespace clinic::intake {

struct MllpOptions {
    std::vector<std::string> allowed;                       // addresses and CIDR blocks; empty: nobody
    std::size_t connections_max = 1'024;
    std::size_t connections_per_address_max = 64;
    std::size_t frame_bytes_max = frame_bytes_default;      // at most frame_bytes_highest
    std::size_t pending_frames_max = 32;                    // per connection, not yet answered
    std::size_t unsent_bytes_max = 262'144;                 // per connection, answers that the sender does not read
    std::size_t held_bytes_max = 134'217'728;               // over all connections: unfinished and unanswered frames
    std::chrono::seconds idle_max{4 * 3'600};
    std::chrono::seconds gap_max{60};                       // between two bytes of one frame
    std::chrono::seconds unsent_max{60};                    // without the sender taking a byte of its answers
    std::chrono::milliseconds end_grace{200};               // after 1C, for the 0D
    std::chrono::seconds keep_alive{180};
    std::chrono::seconds stop_max{10};                      // for pending answers, when stopping
};

struct MllpNumbers {
    std::uint64_t accepted = 0, open = 0, bytes = 0, frames = 0, answers = 0;
    std::uint64_t refused_address = 0, refused_full = 0;    // connections
    std::uint64_t junk_bytes = 0, bare_ends = 0, restarts = 0, damaged = 0;
    std::uint64_t oversized = 0, not_mllp = 0, junk = 0, timed_out = 0;   // connections ended by us
};

class MllpServer {
public:
    using Answer = std::function<void(std::string)>;                      // once; an empty one says nothing
    using Handler = std::function<void(std::string message, bool damaged, Answer answer)>;

    static Result<std::unique_ptr<MllpServer>> start(base::UniqueFd listener, const MllpOptions& options,
                                                     const Clock& clock, Handler handler);
    ~MllpServer();                                          // stop()
    void stop();                                            // no more frames; what is pending is answered, then closed
    MllpNumbers numbers() const;

private:
    class Loop;
    struct Counters;
    MllpServer();
    std::shared_ptr<Counters> counters_;
    std::unique_ptr<Loop> loop_;
    std::jthread thread_;
};

}  // namespace clinic::intake
