// An OAuth 2.0 grant for one location: a pair of an access and a refresh token, of which the second is for one use.
//   Rules:   a pair is durable before its first use, and the one before it is kept until GHL has answered to the new
//            one. One caller refreshes, at 85 % of a token's life or when GHL refuses it; the others go on with what
//            there is. Where the refresh token is refused (used already: an answer got lost), `reconnect` is tried
//            once; where that is refused too the grant is dead until somebody authorizes anew, and is tried once an
//            hour.
//   Bounds:  three calls a refresh; between two tries that failed in passing, up to 5 min.
//   Errors:  locked (no grant, or a dead one: authorize), offline or timeout (in passing).
//   Threads: any.
//   Source:  facts/ghl-api §1.2; RFC 6749 §4.1, §6.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "sync/channel/ghl/credentials.h"
#include "sync/channel/ghl/scopes.h"
#include "sync/lane/backoff.h"
#include "sync/lane/sealed_file.h"

namespace clinic::ghl {

struct GrantOptions {
    std::string client_id;
    std::filesystem::path client_secret_file; // a credential: one line
    std::string redirect_uri;
    std::string location; // a grant for another one is refused
    Wants wants{};        // scopes besides the usual ones
};

// Where a person lets the app in, in a browser, with the scopes that this box needs.
std::string authorize_address(const GrantOptions& options);

// One POST to GHL without a token; what came back.
struct Posted {
    enum class Result : std::uint8_t { not_sent, answered, unknown } result = Result::not_sent;
    int status = 0;
    std::string body;
};
using Post = std::function<Posted(const std::string& path, const char* type, const std::string& body,
                                  const std::stop_token& stop)>;

class Grant final : public Credentials {
public:
    Grant(GrantOptions options, lane::SealedFile file, Post post, const Clock& clock);

    Result<std::string> bearer(For use, const std::stop_token& stop) override;
    void accepted(const std::string& bearer) override;
    bool refused(const std::string& bearer) override;

    // What the browser was sent back with. Errors: locked (no client secret), refused (GHL does not know the code, or
    // it is for another location), offline, full, system.
    Result<void> authorize(const std::string& code, const std::stop_token& stop);

    enum class State : std::uint8_t { none, works, untried, dead };
    struct Now {
        State state = State::none;
        Timestamp expires{};
        std::vector<MissingScope> missing; // of what this box needs
    };
    Now now();

private:
    struct Pair {
        std::string access, refresh;
        Timestamp expires{}, due{}; // by our clock: due is when it is fetched anew
        std::string scope;
    };
    using Lock = std::unique_lock<std::mutex>;
    Result<std::string> secret() const;
    Result<Pair> fetch(const std::string& form, const std::stop_token& stop) const;
    Result<Pair> exchange(const char* grant_type, const char* name, const std::string& value,
                          const std::stop_token& stop) const;
    Result<Pair> reconnected(const std::stop_token& stop) const;
    // Under the mutex. `refresh` lets go of it while GHL is asked.
    Result<void> refresh(Lock& lock, const std::stop_token& stop);
    Result<void> take(Pair pair);
    Result<void> keep();
    void load();
    bool has_life() const;
    bool is_due() const;

    const GrantOptions options_;
    const lane::SealedFile file_;
    const Post post_;
    const Clock& clock_;
    std::mutex mutex_;
    std::condition_variable_any refreshed_;
    bool refreshing_ = false;
    std::optional<Pair> pair_, before_;                   // before_: until the new one has worked
    std::optional<Pair> unsaved_;                         // given by GHL, and not durable yet
    bool proven_ = false, dead_ = false, wanted_ = false; // wanted_: the access token was refused
    lane::Backoff backoff_;
    base::Micros not_before_{}; // by the boot clock: the next try
};

} // namespace clinic::ghl
