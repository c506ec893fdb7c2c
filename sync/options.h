// The configuration file of clinic-syncd, read once. Closed: an unknown key is an error.
//   Form:   docs/syncd.md.
//   Errors: not_found, malformed, refused (a value out of its range), with the rule that was broken.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "crypto/base/result.h"
#include "sync/channel/ghl/ghl_client.h"
#include "sync/channel/mqtt/broker/broker.h"
#include "sync/envelope/frame.h"
#include "sync/lane/rate_budget.h"
#include "sync/poll/poller.h"

namespace clinic::sync {

struct GhlOptions {
    ghl::ClientOptions client;
    envelope::WriteRules rules;
    lane::RateLimits rate;
    std::optional<poll::PollOptions> polling; // without its socket and pulse
};

struct TraceOptions { // where spans go: OTLP/HTTP in JSON
    std::string host;
    std::uint16_t port = 443;
    std::filesystem::path ca;
};

struct Options {
    std::string box;                  // ^[a-z0-9][a-z0-9-]{0,31}$
    std::filesystem::path egress;     // clinicd's socket
    std::filesystem::path state;      // our folder
    std::filesystem::path credential; // key of the state file
    std::filesystem::path records;    // empty, or the folder that must be closed to us
    std::filesystem::path diagnose;   // empty, or where clinicctl asks how the ways out are
    int workers = 4;                  // 1..64
    std::optional<GhlOptions> ghl;
    std::optional<mqtt::BrokerOptions> mqtt;
    bool relay = false;                 // what clinic-relay tells is heard, over that broker; needs ghl.polling
    std::optional<TraceOptions> traces; // none: nobody traces
};

Result<Options> read_options(const std::filesystem::path& file);

} // namespace clinic::sync
