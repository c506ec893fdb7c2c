// Live events: every viewer's connection on one epoll thread; a viewer holds no worker.
//   Form:    server-sent events; each carries the whole status document, so a newer one replaces one not yet begun.
//   Bounds:  `viewers_max` viewers; per viewer the event under way and the newest one, together at most 64 KB;
//            a viewer that takes nothing for 30 s, or says anything, is dropped and comes again by itself.
//   Threads: `add` and `wake` any; the rest is its own thread.
//   Source:  facts/poco §3; ui.md.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include <memory>

#include "crypto/base/vitals.h"
#include "daemon/health/health.h"
#include "daemon/https/https_server.h"

namespace clinic::api {

inline constexpr std::size_t viewer_bytes_max = 65'536;

class Events final : public https::Stream {
public:
    Events(health::Health& health, https::Connections& connections, std::size_t viewers_max, base::Pulse pulse = {});
    ~Events() override;

    Result<void> start();
    void stop();
    bool has_room() const override;
    bool add(const Poco::Net::StreamSocket& socket, std::string head) override;
    void wake(); // something changed
    std::int64_t viewers() const;
    std::int64_t dropped() const; // that took nothing for too long

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::api
