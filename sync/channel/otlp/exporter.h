// Spans to a collector: OTLP/HTTP in JSON, over verified TLS, without a token. Off unless it is configured.
//   Bounds:  batch_spans a request, one request at a time, `call_max` each; what is not taken in is dropped and
//   counted. Errors:  none; the log says once that spans are dropped, and how many when they are taken in again.
//   Threads: `run` in one of its own.
//   Source:  docs/observability.md; OTLP 1.x, "OTLP/HTTP".
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "crypto/base/vitals.h"
#include "sync/trace/span_queue.h"

namespace clinic::otlp {

inline constexpr std::size_t batch_spans = 256;

struct ExporterOptions {
    std::string host;
    std::uint16_t port = 443;
    std::filesystem::path ca; // empty: the system's authorities
    std::string box;
    base::Micros gather = std::chrono::seconds{2}; // between two requests
    std::chrono::milliseconds call_max{5'000};
    base::Pulse pulse = {};
};

class Exporter {
public:
    // Errors: malformed: the authorities' file does not load.
    static Result<std::unique_ptr<Exporter>> make(ExporterOptions options, trace::SpanQueue& spans);
    ~Exporter();
    void run(std::stop_token stop);

private:
    struct State;
    explicit Exporter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace clinic::otlp
