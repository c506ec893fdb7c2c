#include "daemon/api/api_server.h"

#include "daemon/api/events.h"
#include "daemon/api/routes.h"
#include "daemon/https/https_server.h"

namespace clinic::api {
namespace {

constexpr int store_descriptors = 256; // and the other sockets'

https::Options https_options(const Options& options) {
    return {.certificate = options.certificate,
            .key = options.key,
            .hosts = options.hosts,
            .threads_max = options.threads_max,
            .connections_per_network_max = options.connections_per_network_max,
            .other_descriptors = options.viewers_max + store_descriptors,
            .read_timeout = options.read_timeout,
            .keep_alive_time = options.keep_alive,
            .request_time_max = options.request_time_max,
            .accepting = options.accepting};
}

} // namespace

// The box's own site: documents of its status, and live events.
class ApiServer::Clinic final : public https::Site {
public:
    Clinic(const Options& options, health::Health& watched)
        : health{watched}, trust_{read_trust(options.certificate, options.authority)} {}

    std::optional<https::Answer> document(std::string_view path) override {
        return api::document(health, trust_, path, path == "/metrics" ? metrics() : std::string{});
    }
    bool has(std::string_view path) const override { return is_route(trust_, path); }
    https::Stream* stream(std::string_view path) override { return path == events_path ? events.get() : nullptr; }

    health::Health& health;
    // Both are made before the first request and end after the last one.
    std::unique_ptr<https::HttpsServer> server;
    std::unique_ptr<Events> events;

private:
    std::string metrics() const;

    const Trust trust_;
};

std::string ApiServer::Clinic::metrics() const {
    std::string text;
    const auto put = [&](const char* name, const char* type, const char* help, std::int64_t value) {
        text += std::string{"# HELP "} + name + " " + help + "\n# TYPE " + name + " " + type + "\n" + name + " " +
                std::to_string(value) + "\n";
    };
    const auto numbers = server->numbers();
    put("clinic_http_connections", "gauge", "Connections that hold a worker or wait for one.", numbers.connections);
    put("clinic_http_viewers", "gauge", "Viewers of live events.", events->viewers());
    put("clinic_page_watched", "gauge", "1: somebody looked within 45 s, so silent links are looked for.",
        health.watched() ? 1 : 0);
    put("clinic_http_requests_total", "counter", "Requests answered.", numbers.requests);
    put("clinic_http_requests_refused_total", "counter", "Requests refused by the gate or for their route.",
        numbers.refused_requests);
    put("clinic_http_requests_unreadable_total", "counter", "Requests hung up on because their length is no number.",
        numbers.unreadable_requests);
    put("clinic_http_connections_refused_total", "counter", "Connections beyond a bound.", numbers.refused_connections);
    put("clinic_http_connections_displaced_total", "counter", "Silent connections ended to make room for another.",
        numbers.displaced_connections);
    put("clinic_http_connections_overdue_total", "counter", "Connections ended because no whole request came in time.",
        numbers.overdue_connections);
    put("clinic_http_requests_unfinished_total", "counter", "Connections that ended before a whole request was read.",
        numbers.unfinished_requests);
    put("clinic_http_viewers_dropped_total", "counter", "Viewers dropped because they took nothing for too long.",
        events->dropped());
    return text;
}

ApiServer::ApiServer(std::unique_ptr<Clinic> clinic) : clinic_{std::move(clinic)} {}

Result<std::unique_ptr<ApiServer>> ApiServer::make(const Options& options, base::UniqueFd listener,
                                                   health::Health& health) {
    auto clinic = std::make_unique<Clinic>(options, health);
    auto server = https::HttpsServer::make(https_options(options), *clinic);
    if (!server) return server.error();
    clinic->server = std::move(*server);
    clinic->events = std::make_unique<Events>(health, clinic->server->connections(),
                                              static_cast<std::size_t>(options.viewers_max), options.telling);
    std::unique_ptr<ApiServer> made{new ApiServer{std::move(clinic)}};
    Clinic& serving = *made->clinic_;
    CLINIC_TRY(serving.events->start());
    health.on_change([events = serving.events.get()] { events->wake(); });
    CLINIC_TRY(serving.server->serve(std::move(listener)));
    return made;
}

ApiServer::~ApiServer() {
    clinic_->health.on_change({});
    clinic_->server->stop();
    clinic_->events->stop();
    clinic_->server.reset(); // the workers are gone with it
}

Numbers ApiServer::numbers() const {
    return {clinic_->server->numbers(), clinic_->events->viewers(), clinic_->events->dropped()};
}

} // namespace clinic::api
