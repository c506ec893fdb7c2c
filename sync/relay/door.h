// The HTTPS door for HighLevel's webhooks: POST /ghl/webhooks, and GET /health for who spreads the load. TLS 1.2 or
// later; a strict look at the head before anything else (crypto/listener/head.h); no body beyond its bound is read.
//   Bounds:  DoorOptions. A request must be there, body and all, within `request_time_max`.
//   Threads: an accept thread and up to `threads_max` workers, each for one connection.
//   Source:  facts/poco §1, §4.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "crypto/base/vitals.h"
#include "sync/relay/reception.h"

namespace clinic::relay {

inline constexpr const char* webhooks_path = "/ghl/webhooks";
inline constexpr const char* health_path = "/health";

struct DoorOptions {
    std::filesystem::path certificate, key; // PEM; the certificate with its chain
    int threads_max = 128;                  // a keep-alive connection holds one; the last sixteenth is in reserve
    std::chrono::seconds read_timeout{5};   // between two reads
    std::chrono::seconds keep_alive_time{15};
    std::chrono::seconds request_time_max{10};
    std::chrono::seconds retry_after{30};
    std::chrono::milliseconds drain_max{3'000}; // at the end, for those who are being served
    base::Pulse accepting = {};
};

class Door {
public:
    // `reception` outlives it. Errors: malformed (certificate or key).
    static Result<std::unique_ptr<Door>> make(const DoorOptions& options, Reception& reception,
                                              std::function<bool()> is_well);
    ~Door(); // serves to its end who is in, and closes

    Result<void> serve(base::UniqueFd listener); // once. Errors: system
    void look();                                 // about each second: ends requests that take too long
    std::int64_t refused() const;                // before their body was read

private:
    struct State;
    explicit Door(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// A listening socket, "0.0.0.0" or "::" for all. Errors: malformed, system.
Result<base::UniqueFd> listen_at(const std::string& address, std::uint16_t port);

} // namespace clinic::relay
