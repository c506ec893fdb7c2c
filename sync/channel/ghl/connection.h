// For the channels: one verified TLS connection that carries one HTTP exchange after another.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sync/channel/ghl/ghl_client.h"
#include "sync/channel/ghl/resolver.h"
#include "sync/channel/ghl/watchdog.h"

namespace clinic::ghl {

// Verifies in any mode, by name or address, from TLS 1.2 on.
struct TlsRules;
// Null: the authorities' file does not load.
std::shared_ptr<const TlsRules> verifying_tls(const ClientOptions& options);

// What a request says besides its body.
struct Head {
    const char* method;
    std::string path, host, token, version; // no token: neither it nor the version is said
    std::uint16_t port;
    const char* type = "application/json"; // of the body
};

// A whole answer; of its headers, only these.
struct Reply {
    int status = 0;
    bool encoded = false; // Content-Encoding: nobody asked for that
    std::string body, date, retry_after;
    lane::RateHints rate;
};

class Connection {
public:
    // Null, and `failure` says why: nothing was sent.
    struct Failure {
        const char* code = "";
        bool needs_someone = false;
    };
    struct Means {
        const ClientOptions& options;
        const TlsRules& tls;
        Resolver& resolver;
        Watchdog& watchdog;
    };
    static std::unique_ptr<Connection> open(const Means& means, Watchdog::Instant deadline, const std::stop_token& stop,
                                            Failure& failure);
    ~Connection();

    int socket() const;
    // Still usable, as far as can be known without sending.
    bool fresh(std::chrono::milliseconds idle_max) const;

    // Nothing: the request may have had its effect, and `failure` says how the answer was lost.
    std::optional<Reply> exchange(const Head& head, std::string_view body, Failure& failure);
    bool reusable() const; // after an exchange

private:
    struct Parts;
    explicit Connection(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

} // namespace clinic::ghl
