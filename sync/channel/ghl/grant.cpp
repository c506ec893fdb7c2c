#include "sync/channel/ghl/grant.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/base/log.h"

namespace clinic::ghl {
namespace {

using nlohmann::json;
using std::chrono::seconds;

constexpr std::size_t secret_bytes_max = 512, answer_bytes_max = 64 * 1024, token_bytes_max = 4'096;
constexpr int answer_depth_max = 8, due_percent = 85;
constexpr std::chrono::hours dead_rests{1}; // between two tries of what GHL has refused
constexpr std::int64_t life_s_max = 31 * 86'400;
constexpr const char *form_type = "application/x-www-form-urlencoded", *json_type = "application/json";
constexpr Error not_authorized{Errc::locked, "GHL has not been authorized on this box", "run: clinicctl ghl authorize"};
constexpr Error dead_grant{Errc::locked, "GHL takes the grant of this box no more", "run: clinicctl ghl authorize"};

std::string encoded(std::string_view text) {
    constexpr std::string_view plain = "-._~", digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isalnum(byte) != 0 || plain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4U];
            out += digits[byte & 15U];
        }
    }
    return out;
}

std::string form(std::initializer_list<std::pair<const char*, std::string_view>> fields) {
    std::string out;
    for (const auto& [name, value] : fields) ((out += out.empty() ? "" : "&") += name) += "=" + encoded(value);
    return out;
}

std::optional<std::string> text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) return std::nullopt;
    const auto& text = found->get_ref<const std::string&>();
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c < 0x7f; });
    return plain && text.size() <= token_bytes_max ? std::optional{text} : std::nullopt;
}

// What a call that brought no pair means: the far side's word, or nothing. A proxy's or a portal's page says nothing of
// our grant, whatever its number.
Error judged(const Posted& posted) {
    if (posted.result == Posted::Result::not_sent) return {Errc::offline, "GHL cannot be reached for a token"};
    if (posted.result == Posted::Result::unknown) return {Errc::timeout, "GHL's answer with a token got lost"};
    const auto said = base::parse_json(posted.body, answer_bytes_max, answer_depth_max);
    const bool is_ghls = said && said->is_object();
    if (is_ghls && (posted.status == 400 || posted.status == 422))
        return {Errc::refused, "GHL does not give a token for this", "", {}, posted.status};
    if (is_ghls && posted.status == 401)
        return {Errc::locked,
                "GHL does not know the app's id or secret",
                "see ghl.oauth: client_id and client_secret_file, as GHL's marketplace has them",
                {},
                posted.status};
    return {Errc::offline, "GHL cannot give a token now", "", {}, posted.status};
}

} // namespace

std::string authorize_address(const GrantOptions& options) {
    return "https://marketplace.gohighlevel.com/v2/oauth/chooselocation?" +
           form({{"response_type", "code"},
                 {"redirect_uri", options.redirect_uri},
                 {"client_id", options.client_id},
                 {"scope", needed_scopes(options.wants)}});
}

Grant::Grant(GrantOptions options, lane::SealedFile file, Post post, const Clock& clock)
    : options_{std::move(options)}, file_{std::move(file)}, post_{std::move(post)}, clock_{clock}, backoff_{
                                                                                                       {.base = seconds{
                                                                                                            1}}} {
    load();
}

Result<std::string> Grant::secret() const {
    auto text = base::read_text(options_.client_secret_file, secret_bytes_max);
    while (text && !text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    if (text && !text->empty()) return text;
    return Error{Errc::locked, "the client secret of the GHL app cannot be read",
                 "see ghl.oauth.client_secret_file in the configuration"};
}

// One call to the token endpoint. A pair for another location is nobody's here.
Result<Grant::Pair> Grant::fetch(const std::string& body, const std::stop_token& stop) const {
    const auto posted = post_("/oauth/token", form_type, body, stop);
    if (posted.result != Posted::Result::answered || posted.status / 100 != 2) return judged(posted);
    const auto parsed = base::parse_json(posted.body, answer_bytes_max, answer_depth_max);
    if (!parsed || !parsed->is_object()) return Error{Errc::timeout, "GHL's answer with a token cannot be read"};
    const auto access = text_of(*parsed, "access_token"), renewal = text_of(*parsed, "refresh_token");
    const auto life = parsed->value("expires_in", json{});
    if (!access || access->empty() || !renewal || renewal->empty() || !life.is_number_integer())
        return Error{Errc::timeout, "GHL's answer lacks a token"};
    if (text_of(*parsed, "locationId").value_or("") != options_.location)
        return Error{Errc::refused, "the authorization is for another location than the one of the settings",
                     "choose the clinic's own location, or mend ghl.location"};
    const std::int64_t life_s = std::clamp<std::int64_t>(life.get<std::int64_t>(), 1, life_s_max);
    const auto now = clock_.now();
    return Pair{*access, *renewal, now + seconds{life_s}, now + seconds{life_s * due_percent / 100},
                text_of(*parsed, "scope").value_or("")};
}

// What a person, a reconnection or the last answer has given, for a pair.
Result<Grant::Pair> Grant::exchange(const char* grant_type, const char* name, const std::string& value,
                                    const std::stop_token& stop) const {
    const auto key = secret();
    if (!key) return key.error();
    return fetch(form({{"client_id", options_.client_id},
                       {"client_secret", *key},
                       {"grant_type", grant_type},
                       {name, value},
                       {"user_type", "Location"},
                       {"redirect_uri", options_.redirect_uri}}),
                 stop);
}

// A code without a person, for an app that is still installed.
Result<Grant::Pair> Grant::reconnected(const std::stop_token& stop) const {
    const auto key = secret();
    if (!key) return key.error();
    const auto posted = post_(
        "/oauth/reconnect", json_type,
        base::dump_json({{"clientKey", options_.client_id}, {"clientSecret", *key}, {"locationId", options_.location}}),
        stop);
    if (posted.result != Posted::Result::answered || posted.status / 100 != 2) return judged(posted);
    const auto parsed = base::parse_json(posted.body, answer_bytes_max, answer_depth_max);
    const auto code = parsed && parsed->is_object() ? text_of(*parsed, "authorizationCode") : std::nullopt;
    if (!code) return Error{Errc::refused, "GHL reconnects this app without a code"};
    return exchange("authorization_code", "code", *code, stop);
}

bool Grant::has_life() const {
    return pair_ && !wanted_ && clock_.now() < pair_->expires;
}

bool Grant::is_due() const {
    return pair_ && (wanted_ || clock_.now() >= pair_->due);
}

Result<void> Grant::keep() {
    const auto written = [](const std::optional<Pair>& pair) {
        if (!pair) return json{};
        return json{{"access", pair->access},
                    {"refresh", pair->refresh},
                    {"expires_us", pair->expires.micros},
                    {"due_us", pair->due.micros},
                    {"scope", pair->scope}};
    };
    return file_.write({{"now", written(pair_)}, {"before", written(before_)}, {"proven", proven_}, {"dead", dead_}});
}

void Grant::load() {
    const auto stored = file_.read();
    if (!stored) {
        if (stored.error().code == Errc::not_found) return;
        base::log(base::Level::error, "ghl",
                  Error{stored.error().code, "the stored authorization of GHL does not open",
                        "was `credential` changed? run: clinicctl ghl authorize"});
        return;
    }
    const auto read = [](const json& object) -> std::optional<Pair> {
        if (!object.is_object()) return std::nullopt;
        const auto access = text_of(object, "access"), renewal = text_of(object, "refresh"),
                   scope = text_of(object, "scope");
        const auto expires = object.value("expires_us", json{}), due = object.value("due_us", json{});
        if (!access || !renewal || !scope || !expires.is_number_integer() || !due.is_number_integer())
            return std::nullopt;
        return Pair{*access, *renewal, {expires.get<std::int64_t>()}, {due.get<std::int64_t>()}, *scope};
    };
    if (!stored->is_object()) return;
    pair_ = read(stored->value("now", json{}));
    before_ = read(stored->value("before", json{}));
    proven_ = stored->value("proven", json{}) == true;
    dead_ = stored->value("dead", json{}) == true;
}

// Durable before its first use. What cannot be stored waits, and is not used: after a power cut it would be lost.
Result<void> Grant::take(Pair pair) {
    const auto kept = std::make_tuple(pair_, before_, proven_, dead_);
    if (proven_ || !before_) before_ = pair_;
    pair_ = pair;
    proven_ = dead_ = false;
    if (auto stored = keep(); !stored) {
        std::tie(pair_, before_, proven_, dead_) = kept;
        unsaved_ = std::move(pair);
        not_before_ = clock_.monotonic() + backoff_.next();
        return stored;
    }
    unsaved_.reset();
    wanted_ = false;
    return {};
}

Result<void> Grant::refresh(Lock& lock, const std::stop_token& stop) {
    // A refresh token is for one use: where its successor could not be kept it is not spent.
    if (auto writable = keep(); !writable) {
        not_before_ = clock_.monotonic() + backoff_.next();
        return writable;
    }
    const Pair old = *pair_;
    refreshing_ = true;
    lock.unlock();
    auto pair = exchange("refresh_token", "refresh_token", old.refresh, stop);
    const bool is_refused = !pair && pair.error().code == Errc::refused; // it is used up, or withdrawn
    if (is_refused) pair = reconnected(stop);
    lock.lock();
    refreshing_ = false;
    refreshed_.notify_all();
    if (!pair_ || pair_->refresh != old.refresh) return {}; // somebody has authorized anew meanwhile
    if (pair) return take(std::move(*pair));
    base::log(base::Level::warning, "ghl", pair.error());
    if (is_refused && pair.error().code == Errc::refused) {
        dead_ = true;
        not_before_ = clock_.monotonic() + dead_rests;
        if (const auto stored = keep(); !stored) base::log(base::Level::warning, "ghl", stored.error());
        return dead_grant;
    }
    not_before_ = clock_.monotonic() + backoff_.next();
    return pair.error();
}

Result<std::string> Grant::bearer(For, const std::stop_token& stop) {
    Lock lock{mutex_};
    // Who has nothing to show waits for the one who asks; the others go on.
    while (refreshing_ && !has_life())
        if (!refreshed_.wait(lock, stop, [this] { return !refreshing_; })) return Error{Errc::timeout, "stopped"};
    if (unsaved_ && clock_.monotonic() >= not_before_) static_cast<void>(take(Pair{*unsaved_}));
    if (!pair_ && !unsaved_) return not_authorized;
    const bool may_ask = (is_due() || dead_) && !unsaved_ && !refreshing_ && clock_.monotonic() >= not_before_;
    const auto asked = may_ask ? refresh(lock, stop) : Result<void>{};
    if (has_life()) return pair_->access;
    if (before_ && clock_.now() < before_->expires) return before_->access; // the new one never worked
    if (!asked) return asked.error();
    if (unsaved_) return Error{Errc::offline, "a token that GHL has given cannot be kept yet"};
    if (dead_) return dead_grant;
    return is_due() ? Error{Errc::offline, "GHL gives no token yet"} : Result<std::string>{pair_->access};
}

void Grant::accepted(const std::string& bearer) {
    const std::lock_guard lock{mutex_};
    if (!pair_ || proven_ || pair_->access != bearer) return;
    proven_ = true;
    before_.reset();
    backoff_.reset();
    not_before_ = {};
    if (const auto stored = keep(); !stored) base::log(base::Level::warning, "ghl", stored.error());
}

bool Grant::refused(const std::string& bearer) {
    const std::lock_guard lock{mutex_};
    if (!pair_) return false;
    if (before_ && before_->access == bearer) return before_.reset(), !dead_;
    if (pair_->access != bearer) return true; // somebody has fetched another one meanwhile
    wanted_ = true;
    if (proven_) return !dead_;
    // GHL gives tokens and takes none of them: not again at once, and somebody has to look.
    not_before_ = clock_.monotonic() + backoff_.next();
    return false;
}

Result<void> Grant::authorize(const std::string& code, const std::stop_token& stop) {
    auto pair = exchange("authorization_code", "code", code, stop);
    if (!pair) return pair.error();
    for (const auto& one : missing_scopes(pair->scope, options_.wants))
        base::log(
            base::Level::warning, "ghl",
            Error{Errc::unauthorized, one.scope, "the app lacks this scope: add it to the app and authorize again"});
    const std::lock_guard lock{mutex_};
    return take(std::move(*pair));
}

Grant::Now Grant::now() {
    const std::lock_guard lock{mutex_};
    if (!pair_) return {};
    return {.state = dead_     ? State::dead
                     : proven_ ? State::works
                               : State::untried,
            .expires = pair_->expires,
            .missing = missing_scopes(pair_->scope, options_.wants)};
}

} // namespace clinic::ghl
