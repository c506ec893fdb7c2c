// Private to clinic::ghl: one verified TLS connection that carries one HTTP exchange after another.
#pragma once

#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sync/channel/ghl/ghl_client.h"
#include "sync/channel/ghl/resolver.h"
#include "sync/channel/ghl/watchdog.h"

namespace clinic::ghl {

class Connection {
public:
    // Null, and `failure` says why: nothing was sent.
    struct Failure {
        const char* code = "";
        bool needs_someone = false;
    };
    struct Means {
        const ClientOptions& options;
        Poco::Net::Context::Ptr tls;
        Resolver& resolver;
        Watchdog& watchdog;
    };
    static std::unique_ptr<Connection> open(const Means& means, Watchdog::Instant deadline, const std::stop_token& stop,
                                            Failure& failure);
    ~Connection();

    bool fresh(std::chrono::milliseconds idle_max) const; // still usable as far as can be known
    int socket() const;

    enum class Step { sent, failed };
    // Everything after the first byte may have had its effect.
    Step write(Poco::Net::HTTPRequest& request, std::string_view body);
    Step read(Poco::Net::HTTPResponse& response, std::string& body, bool& whole, bool& too_long);
    bool reusable(const Poco::Net::HTTPResponse& response) const;

private:
    struct Parts;
    explicit Connection(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

// Verifies in any mode, by name or address, from TLS 1.2 on. Null: the authorities' file does not load.
Poco::Net::Context::Ptr verifying_context(const ClientOptions& options);

} // namespace clinic::ghl
