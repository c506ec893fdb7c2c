#include "sync/channel/otlp/exporter.h"

#include <utility>

#include "crypto/base/log.h"
#include "sync/channel/ghl/connection.h"
#include "sync/lane/wait.h"

namespace clinic::otlp {
namespace {

constexpr const char* path = "/v1/traces";
constexpr base::Micros look = std::chrono::seconds{5}; // for the first span; the pulse between

ghl::ClientOptions connection_options(const ExporterOptions& options) {
    ghl::ClientOptions out;
    out.host = options.host;
    out.port = options.port;
    out.ca = options.ca;
    out.call_max = options.call_max;
    return out;
}

} // namespace

struct Exporter::State {
    State(ExporterOptions how, trace::SpanQueue& queue)
        : options{std::move(how)}, spans{queue}, client{connection_options(options)}, resolver{client.host,
                                                                                               client.port} {}

    ExporterOptions options;
    trace::SpanQueue& spans;
    ghl::ClientOptions client;
    std::shared_ptr<const ghl::TlsRules> tls;
    ghl::Resolver resolver;
    bool taken_in = true; // the newest batch
    ghl::Watchdog watchdog;

    bool send(const std::string& body, const std::stop_token& stop);
};

bool Exporter::State::send(const std::string& body, const std::stop_token& stop) {
    const auto deadline = std::chrono::steady_clock::now() + options.call_max;
    ghl::Connection::Failure why;
    const auto connection = ghl::Connection::open({client, *tls, resolver, watchdog}, deadline, stop, why);
    if (!connection) return false;
    const ghl::Watchdog::Guard guard{watchdog, connection->socket(), deadline, stop, client.stop_grace};
    const auto reply = connection->exchange({"POST", path, client.host, "", "", client.port}, body, why);
    return reply && reply->status / 100 == 2;
}

Exporter::Exporter(std::unique_ptr<State> state) : state_{std::move(state)} {}
Exporter::~Exporter() = default;

Result<std::unique_ptr<Exporter>> Exporter::make(ExporterOptions options, trace::SpanQueue& spans) {
    auto state = std::make_unique<State>(std::move(options), spans);
    state->tls = ghl::verifying_tls(state->client);
    if (!state->tls)
        return Error{Errc::malformed, "the certificate authorities for the collector do not load",
                     "see traces.ca in the configuration"};
    return std::unique_ptr<Exporter>{new Exporter{std::move(state)}};
}

void Exporter::run(std::stop_token stop) {
    auto& state = *state_;
    while (!stop.stop_requested()) {
        state.options.pulse.beat();
        const auto batch = state.spans.take(batch_spans, look, stop);
        if (batch.empty()) continue;
        const bool sent = state.send(trace::to_otlp(batch, state.options.box), stop);
        if (!sent) state.spans.lost(batch);
        if (sent != std::exchange(state.taken_in, sent))
            base::log(base::Level::notice, "traces",
                      sent ? Literal{"the collector takes spans in again"}
                           : Literal{"the collector does not take spans in: they are dropped"},
                      {{"dropped", state.spans.dropped()}});
        lane::sleep_for(stop, state.options.gather); // what comes meanwhile is one request
    }
}

} // namespace clinic::otlp
