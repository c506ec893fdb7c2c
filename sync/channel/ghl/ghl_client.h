// One request to GHL, and honestly what became of it: not sent, answered, or unknown.
//   Errors:  none are thrown or returned; an Exchange says it all. Response bodies are parsed to an allow-list and
//   dropped. Bounds:  idle connections: 16; a body: 256 KiB; a call: `call_max` from connect to the last byte. Threads:
//   any; each call takes a connection of its own. Source:  facts/poco.md §7, facts/ghl-api §0 and §2.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "sync/channel/ghl/answer.h"
#include "sync/channel/ghl/dialect.h"
#include "sync/channel/ghl/grant.h"
#include "sync/channel/ghl/requests.h"

namespace clinic::ghl {

struct ClientOptions {
    std::string host;
    std::uint16_t port = 443;
    std::filesystem::path ca;                          // empty: the system's authorities
    std::filesystem::path token_file, next_token_file; // private integration tokens; not used with a grant
    std::optional<GrantOptions> oauth;
    Dialects dialects;                            // by module: the Version header, and what it changes
    std::chrono::milliseconds connect_max{3'000}; // each address
    std::chrono::milliseconds call_max{20'000};
    std::chrono::milliseconds greet_max{1'500};  // a handshake: some round trips
    std::chrono::milliseconds stop_grace{5'000}; // for a call under way when we are asked to stop
    std::chrono::milliseconds idle_max{25'000};  // a connection unused for longer is not trusted
};

class GhlClient {
public:
    // `grant`: where the tokens of an OAuth grant are kept; with `oauth` alone.
    // Errors: system, malformed: the authorities' file does not load.
    static Result<std::unique_ptr<GhlClient>> make(ClientOptions options, const Clock& clock,
                                                   std::optional<lane::SealedFile> grant = std::nullopt);
    ~GhlClient();

    // `marker_field` and `marker`: what makes a found contact ours (of a search).
    struct Marker {
        std::string field, value;
        std::optional<Expected> expected = {};           // of a contact that is read back
        std::optional<Sought> sought = {};               // of a search for an opportunity or a booking
        std::function<void(std::string_view)> read = {}; // a parser of its own for the body of a 2xx, dropped after it
    };
    // `begun_by`: a request that could not be begun by then is not sent.
    using Instant = std::chrono::steady_clock::time_point;
    // As it is sent: a request is asked for in this form.
    Call spoken(Call call) const;
    Exchange send(const Call& call, const Marker& marker, std::stop_token stop, Instant begun_by = Instant::max());

    // A verified connection of its own, without a request; closed again.
    Exchange greet(std::stop_token stop);
    base::Micros unanswered() const; // how long the oldest `send` under way has waited; zero: there is none

    // Errors: as Grant's; unsupported, where a token and no grant is configured.
    Result<void> authorize(const std::string& code, std::stop_token stop);
    std::optional<Grant::Now> grant(); // nothing: a token is configured

    void on_date(std::function<void(Timestamp)> listener); // each Date header; set once, before threads

private:
    struct State;
    explicit GhlClient(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace clinic::ghl
