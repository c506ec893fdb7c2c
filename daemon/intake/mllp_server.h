// HL7 senders on the LAN, plain or by TLS with a certificate of their own: one thread, one epoll, any number of
// connections; answers in the order of the frames.
//   Bounds:  MllpOptions. Reached: no reading until there is room (frames, answers), or no connection (addresses).
//   Errors:  start: malformed (address list), system. A connection's trouble is counted, logged and ends that
//   connection. Threads: one of its own; the handler is called on it, and answers come from any thread. Sockets: takes
//   listening ones; never makes or connects one (the filter of clinicd refuses that). Source:  facts/health-interop
//   §1.3.
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
#include "crypto/base/vitals.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/frame.h"
#include "daemon/intake/mllp_decoder.h"
#include "daemon/intake/tls_session.h"

namespace clinic::intake {

struct MllpOptions {
    std::vector<std::string> allowed;             // addresses and CIDR blocks; unused where `feeds` is set
    std::shared_ptr<const Feeds> feeds = nullptr; // who may come in, changing while we run
    std::size_t connections_max = 1'024;
    std::size_t connections_per_address_max = 64;
    std::size_t frame_bytes_max = frame_bytes_default; // at most frame_bytes_highest
    std::size_t pending_frames_max = 32;               // per connection, not yet answered
    std::size_t unsent_bytes_max = 262'144;            // per connection, answers that the sender does not read
    std::size_t held_bytes_max = 134'217'728;          // over all connections: unfinished and unanswered frames
    std::chrono::seconds idle_max{4 * 3'600};
    std::chrono::seconds gap_max{60};               // between two bytes of one frame
    std::chrono::seconds frame_max{600};            // from its first byte to its last
    std::chrono::seconds greeting_max{10};          // from a TLS connection to the end of its handshake
    std::chrono::seconds unsent_max{60};            // without the sender taking a byte of its answers
    std::chrono::milliseconds end_grace{200};       // after 1C, for the 0D
    std::chrono::seconds linger_max{10};            // after the last answer, for the sender to read it and close
    std::size_t thrown_away_bytes_max = 67'108'864; // of a sender that goes on with a frame above the bound
    std::chrono::seconds keep_alive{180};
    std::chrono::seconds stop_max{10}; // for pending answers, when stopping
    base::Pulse pulse = {};            // each turn of the loop
};

struct MllpNumbers {
    std::uint64_t accepted = 0, open = 0, bytes = 0, frames = 0, answers = 0;
    std::uint64_t secured = 0; // connections whose handshake was good
    std::uint64_t refused_address = 0, refused_full = 0, refused_certificate = 0; // connections
    std::uint64_t junk_bytes = 0, bare_ends = 0, restarts = 0, damaged = 0, oversized = 0;
    std::uint64_t lost = 0; // frames that began and did not end, restarts among them
    std::uint64_t not_mllp = 0, junk = 0, timed_out = 0, tls_failed = 0; // connections ended by us
};

struct MllpPorts {
    MllpPorts(base::UniqueFd listener) : plain{std::move(listener)} {}
    MllpPorts(base::UniqueFd listener, base::UniqueFd tls_listener, std::shared_ptr<const TlsContext> how)
        : plain{std::move(listener)}, tls{std::move(tls_listener)}, context{std::move(how)} {}
    base::UniqueFd plain, tls; // tls: with a context, or neither
    std::shared_ptr<const TlsContext> context;
};

class MllpLoop;
struct MllpCounters;

class MllpServer {
public:
    using Answer = std::function<void(std::string)>; // once; an empty one says nothing
    // For a lost frame the answer is not waited for.
    using Handler = std::function<void(Frame frame, Answer answer)>;

    static Result<std::unique_ptr<MllpServer>> start(MllpPorts ports, const MllpOptions& options, const Clock& clock,
                                                     Handler handler);
    ~MllpServer(); // stop()
    void stop();   // no more frames; what is pending is answered, then closed
    MllpNumbers numbers() const;

private:
    MllpServer();
    std::shared_ptr<MllpCounters> counters_;
    std::unique_ptr<MllpLoop> loop_;
    std::jthread thread_;
};

} // namespace clinic::intake
