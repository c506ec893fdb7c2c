#include "daemon/api/routes.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/web/web.h"

namespace clinic::api {
namespace {

using https::Answer;
using https::html_type;
using https::json_type;

constexpr const char* authority_type = "application/x-x509-ca-cert"; // a browser asks whether to trust it
constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::string_view help_folder = "/help/";

// For load balancers and supervisors: 200 when messages are taken in, 503 when the page is all there is.
Answer health_answer(const health::Status& status) {
    const bool ready = health::ready(status);
    const nlohmann::json body = {{"alive", true}, {"ready", ready}, {"mode", health::name(status.mode)}};
    return {ready ? 200 : 503, json_type, base::dump_json(body)};
}

} // namespace

std::optional<Answer> document(health::Health& health, const Trust& trust, std::string_view path,
                               std::string_view server_metrics) {
    if (path == "/" || path == "/api/v1/status") health.looked_at();
    if (path == "/") return Answer{200, html_type, web::status_page(health::to_json(health.status()))};
    if (path == "/api/v1/status") return Answer{200, json_type, health::to_json(health.status_of_now())};
    if (path == trust_path) return Answer{200, html_type, web::trust_page(trust.fingerprint, authority_path)};
    if (path == authority_path && !trust.authority.empty()) return Answer{200, authority_type, trust.authority};
    if (path == "/api/health") return health_answer(health.status());
    if (path == "/metrics")
        return Answer{200, metrics_type, health::to_metrics(health.status()).append(server_metrics)};
    if (const auto asset = web::asset(path)) return Answer{200, std::string{asset->type}, std::string{asset->body}};
    if (!path.starts_with(help_folder)) return std::nullopt;
    auto help = web::help_page(path.substr(help_folder.size()));
    return help ? std::optional{Answer{200, html_type, std::move(*help)}} : std::nullopt;
}

bool is_route(const Trust& trust, std::string_view path) {
    return path == "/" || path == trust_path || (path == authority_path && !trust.authority.empty()) ||
           path == "/api/v1/status" || path == "/api/health" || path == "/metrics" || path == events_path ||
           web::asset(path).has_value() ||
           (path.starts_with(help_folder) && web::help_page(path.substr(help_folder.size())).has_value());
}

} // namespace clinic::api
