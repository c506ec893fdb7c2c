#include "sync/channel/ghl/ghl_client.h"

#include <Poco/DateTime.h>
#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeParser.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "crypto/base/log.h"
#include "sync/channel/ghl/connection.h"
#include "sync/channel/ghl/token_slots.h"

namespace clinic::ghl {
namespace {

constexpr std::size_t idle_connections_max = 16;
constexpr std::chrono::milliseconds token_call_max{6'000}; // of three at the most, while somebody waits for the token

std::optional<Timestamp> date_of(const std::string& text) {
    Poco::DateTime at;
    int zone = 0;
    if (text.empty() || text.size() > 64 ||
        !Poco::DateTimeParser::tryParse(Poco::DateTimeFormat::HTTP_FORMAT, text, at, zone))
        return std::nullopt;
    return Timestamp{at.timestamp().epochMicroseconds()};
}

Exchange failed(Exchange::Result result, const char* code, bool needs_someone = false) {
    Exchange out;
    out.result = result;
    out.failure = code;
    out.needs_someone = needs_someone;
    return out;
}

} // namespace

struct GhlClient::State {
    State(ClientOptions given, const Clock& time)
        : options{std::move(given)}, clock{time}, resolver{options.host, options.port} {}

    ClientOptions options;
    const Clock& clock;
    std::shared_ptr<const TlsRules> tls;
    Resolver resolver;
    std::unique_ptr<Credentials> credentials;
    Grant* grant = nullptr; // the same, where it is one
    std::function<void(Timestamp)> date_listener;
    std::mutex mutex;
    std::vector<std::unique_ptr<Connection>> idle;
    std::multiset<Watchdog::Instant> under_way; // when each call began
    Watchdog watchdog;                          // last: its thread ends first

    std::unique_ptr<Connection> take_idle();
    void give_back(std::unique_ptr<Connection> connection);
    struct Limit {
        Watchdog::Instant deadline, begun_by;
        const std::stop_token& stop;
    };
    Exchange shown(const Call& call, const Marker& marker, For use, const Limit& limit);
    Posted post(const std::string& path, const char* type, const std::string& body, const std::stop_token& stop);
    Exchange once(const Call& call, const Marker& marker, const std::string& token, const Limit& limit);
    Exchange exchange(Connection& connection, const Call& call, const Marker& marker, const std::string& token,
                      const Limit& limit);
    Exchange answered(const Reply& reply, const Marker& marker) const;
};

// A call is under way as long as this lives.
class UnderWay {
public:
    explicit UnderWay(std::mutex& mutex, std::multiset<Watchdog::Instant>& all) : mutex_{mutex}, all_{all} {
        const std::lock_guard lock{mutex_};
        place_ = all_.insert(std::chrono::steady_clock::now());
    }
    ~UnderWay() {
        const std::lock_guard lock{mutex_};
        all_.erase(place_);
    }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;

private:
    std::mutex& mutex_;
    std::multiset<Watchdog::Instant>& all_;
    std::multiset<Watchdog::Instant>::iterator place_;
};

GhlClient::GhlClient(std::unique_ptr<State> state) : state_{std::move(state)} {}
GhlClient::~GhlClient() = default;

Result<std::unique_ptr<GhlClient>> GhlClient::make(ClientOptions options, const Clock& clock,
                                                   std::optional<lane::SealedFile> grant) {
    auto state = std::make_unique<State>(std::move(options), clock);
    state->tls = verifying_tls(state->options);
    if (!state->tls)
        return Error{Errc::malformed, "the certificate authorities for GHL do not load",
                     "see ghl.ca in the configuration"};
    if (state->options.oauth && grant) {
        auto made = std::make_unique<Grant>(
            *state->options.oauth, std::move(*grant),
            [owner = state.get()](const std::string& path, const char* type, const std::string& body,
                                  const std::stop_token& stop) { return owner->post(path, type, body, stop); },
            clock);
        state->grant = made.get();
        state->credentials = std::move(made);
    } else {
        state->credentials =
            std::make_unique<TokenSlots>(state->options.token_file, state->options.next_token_file, clock);
    }
    return std::unique_ptr<GhlClient>{new GhlClient{std::move(state)}};
}

Result<void> GhlClient::authorize(const std::string& code, std::stop_token stop) {
    if (state_->grant == nullptr)
        return Error{Errc::unsupported, "this box is let in by a token, not by an authorization",
                     "set ghl.oauth instead of ghl.token_file in clinic-syncd.json"};
    return state_->grant->authorize(code, stop);
}

std::optional<Grant::Now> GhlClient::grant() {
    if (state_->grant == nullptr) return std::nullopt;
    return state_->grant->now();
}

void GhlClient::on_date(std::function<void(Timestamp)> listener) {
    state_->date_listener = std::move(listener);
}

std::unique_ptr<Connection> GhlClient::State::take_idle() {
    const std::lock_guard lock{mutex};
    while (!idle.empty()) {
        auto connection = std::move(idle.back());
        idle.pop_back();
        if (connection->fresh(options.idle_max)) return connection;
    }
    return nullptr;
}

void GhlClient::State::give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock{mutex};
    if (idle.size() < idle_connections_max) idle.push_back(std::move(connection));
}

Exchange GhlClient::State::answered(const Reply& reply, const Marker& marker) const {
    Exchange out;
    out.result = Exchange::Result::answered;
    out.status = reply.status;
    out.rate = reply.rate;
    const auto date = date_of(reply.date);
    out.retry_after = retry_after(reply.retry_after, date.value_or(clock.now()).micros / 1'000'000);
    if (!reply.encoded)
        out.answer = read_answer(reply.body, marker.field, marker.value, marker.expected ? &*marker.expected : nullptr,
                                 marker.sought ? &*marker.sought : nullptr);
    if (!reply.encoded && marker.read && reply.status / 100 == 2) marker.read(reply.body);
    if (date && date_listener) date_listener(*date);
    return out;
}

Exchange GhlClient::State::once(const Call& call, const Marker& marker, const std::string& token, const Limit& limit) {
    auto connection = take_idle();
    if (!connection) {
        Connection::Failure why;
        connection = Connection::open({options, *tls, resolver, watchdog}, limit.deadline, limit.stop, why);
        if (!connection) return failed(Exchange::Result::not_sent, why.code, why.needs_someone);
    }
    auto out = exchange(*connection, call, marker, token, limit);
    if (connection->reusable()) give_back(std::move(connection));
    return out;
}

Exchange GhlClient::State::exchange(Connection& connection, const Call& call, const Marker& marker,
                                    const std::string& token, const Limit& limit) {
    const Watchdog::Guard guard{watchdog, connection.socket(), limit.deadline, limit.stop, options.stop_grace};
    const Head head{envelope::method(call.route),         call.path,   options.host, token,
                    options.dialects.version(call.route), options.port};
    Connection::Failure why;
    // Asked for too long ago (we were stopped, or the disk was slow): what the permission rested on may have changed.
    if (std::chrono::steady_clock::now() >= limit.begun_by) return failed(Exchange::Result::not_sent, "too_late");
    const auto reply = connection.exchange(head, call.body, why);
    return reply ? answered(*reply, marker) : failed(Exchange::Result::unknown, guard.cut() ? "timeout" : why.code);
}

// Asked for a token: with no bearer, and nothing is kept but what came back.
Posted GhlClient::State::post(const std::string& path, const char* type, const std::string& body,
                              const std::stop_token& stop) {
    const auto deadline = std::chrono::steady_clock::now() + std::min(options.call_max, token_call_max);
    Connection::Failure why;
    const auto connection = Connection::open({options, *tls, resolver, watchdog}, deadline, stop, why);
    if (!connection) return {};
    const Watchdog::Guard guard{watchdog, connection->socket(), deadline, stop, options.stop_grace};
    auto reply = connection->exchange({"POST", path, options.host, "", "", options.port, type}, body, why);
    if (!reply) return {.result = Posted::Result::unknown};
    return {.result = Posted::Result::answered, .status = reply->status, .body = std::move(reply->body)};
}

// With what lets us in. Nothing is sent again by itself: each request has its own line in the ledger.
Exchange GhlClient::State::shown(const Call& call, const Marker& marker, For use, const Limit& limit) {
    const auto bearer = credentials->bearer(use, limit.stop);
    if (!bearer && bearer.error().code == Errc::offline) return failed(Exchange::Result::not_sent, "offline");
    if (!bearer && bearer.error().code == Errc::timeout) return failed(Exchange::Result::not_sent, "timeout");
    if (!bearer) return failed(Exchange::Result::not_sent, "no_token", true);
    auto out =
        once(call, marker, *bearer, {std::chrono::steady_clock::now() + options.call_max, limit.begun_by, limit.stop});
    if (out.status / 100 == 2) credentials->accepted(*bearer);
    if (out.answer.scope_fault) {
        const auto [scope, feature] = needed_for(call.route);
        base::log(base::Level::error, "ghl",
                  Error{Errc::unauthorized, scope, "GHL says that our key lacks this scope"});
    }
    // One object that is not for us says nothing of the key.
    const bool of_one = marker.sought || (marker.read && envelope::reads_one(call.route));
    if (out.status == 403 && of_one) return out;
    if ((out.status != 401 && out.status != 403) || out.answer.scope_fault) return out;
    out.another_token = credentials->refused(*bearer);
    out.needs_someone = !out.another_token;
    return out;
}

Call GhlClient::spoken(Call call) const {
    return state_->options.dialects.spoken(std::move(call));
}

Exchange GhlClient::send(const Call& call, const Marker& marker, std::stop_token stop, Instant begun_by) {
    const UnderWay under_way{state_->mutex, state_->under_way};
    const bool is_probe = call.route == envelope::Route::location_read && !marker.read; // and not the polling's read
    const For use = is_probe ? For::probe : For::work;
    return state_->shown(call, marker, use,
                         {std::chrono::steady_clock::now() + state_->options.call_max, begun_by, stop});
}

Exchange GhlClient::greet(std::stop_token stop) {
    auto& state = *state_;
    const auto deadline = std::chrono::steady_clock::now() + state.options.greet_max;
    auto hurried = state.options;
    hurried.connect_max = std::min(hurried.connect_max, hurried.greet_max);
    Connection::Failure why;
    const auto connection =
        Connection::open({hurried, *state.tls, state.resolver, state.watchdog}, deadline, stop, why);
    if (!connection) {
        const bool silent = std::chrono::steady_clock::now() >= deadline;
        return failed(Exchange::Result::not_sent, silent ? "timeout" : why.code, why.needs_someone);
    }
    Exchange out;
    out.result = Exchange::Result::answered;
    return out;
}

base::Micros GhlClient::unanswered() const {
    const std::lock_guard lock{state_->mutex};
    if (state_->under_way.empty()) return {};
    const auto waited = std::chrono::steady_clock::now() - *state_->under_way.begin();
    return std::max(base::Micros{1}, std::chrono::duration_cast<base::Micros>(waited));
}

} // namespace clinic::ghl
