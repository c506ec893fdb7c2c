#include "tests/emulator/oauth.h"

#include <nlohmann/json.hpp>

namespace clinic::emulator {
namespace {

Answer no(std::string_view why) {
    return refusal(400, why);
}

} // namespace

std::string Grants::new_code() {
    installed_ = true;
    return *codes_.insert(random_id(40)).first;
}

Answer Grants::pair(std::int64_t now_ms) {
    const std::string access = "ey" + random_id(200), refresh = random_id(64);
    access_[access] = now_ms + std::int64_t{1'000} * life_s;
    refresh_.insert(refresh);
    return json_answer(200, {{"access_token", access},
                             {"token_type", "Bearer"},
                             {"expires_in", life_s},
                             {"refresh_token", refresh},
                             {"scope", scope},
                             {"userType", "Location"},
                             {"locationId", location_},
                             {"companyId", random_id()},
                             {"userId", random_id()}});
}

Answer Grants::token(const Request& request, std::int64_t now_ms) {
    if (!request.header("Content-Type").starts_with("application/x-www-form-urlencoded"))
        return no("the body is no form");
    const auto field = [&](const char* name) { return form_field(request.body, name); };
    if (field("client_id") != app_id || field("client_secret") != app_secret)
        return refusal(401, "Invalid client credentials!");
    if (field("user_type") != "Location") return no("user_type: Location");
    const auto kind = field("grant_type");
    if (kind == "authorization_code")
        return field("redirect_uri") == redirect && codes_.erase(field("code")) == 1 ? pair(now_ms)
                                                                                     : no("Invalid grant: code");
    if (kind == "refresh_token")
        return refresh_.erase(field("refresh_token")) == 1 ? pair(now_ms)
                                                           : no("Invalid grant: refresh token is invalid");
    return unprocessable({"grant_type must be one of the following values"});
}

Answer Grants::reconnect(const Json& body) {
    if (body.value("clientKey", "") != app_id || body.value("clientSecret", "") != app_secret)
        return refusal(401, "Invalid client credentials!");
    if (!installed_ || body.value("locationId", "") != location_) return no("Location is not active");
    return json_answer(200, {{"authorizationCode", new_code()}, {"expiresAt", "2026-01-01T00:00:00Z"}});
}

bool Grants::knows(std::string_view access, std::int64_t now_ms) const {
    const auto found = access_.find(access);
    return found != access_.end() && now_ms < found->second;
}

} // namespace clinic::emulator
