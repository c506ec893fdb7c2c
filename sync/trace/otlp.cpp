#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/trace/span_queue.h"

namespace clinic::trace {
namespace {

using nlohmann::json;

constexpr int kind_internal = 1, kind_client = 3; // SpanKind
constexpr int status_ok = 1, status_error = 2;    // StatusCode

std::string id_of(std::uint64_t span) {
    std::array<char, 17> text{};
    std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(span));
    return text.data();
}

json word(const char* key, const std::string& value) {
    return {{"key", key}, {"value", {{"stringValue", value}}}};
}

json attributes(const Span& span) {
    json all = json::array();
    for (const auto& [key, value] : span.numbers)
        all.push_back({{"key", key.c_str()}, {"value", {{"intValue", std::to_string(value)}}}});
    for (const auto& [key, value] : span.words) all.push_back(word(key.c_str(), value));
    return all;
}

std::string nanoseconds(Timestamp at) {
    return std::to_string(at.micros) + "000";
}

json written(const Span& span) {
    json one{{"traceId", span.trace},
             {"spanId", id_of(span.span)},
             {"name", span.name.c_str()},
             {"kind", span.leaves_the_box ? kind_client : kind_internal},
             {"startTimeUnixNano", nanoseconds(span.start)},
             {"endTimeUnixNano", nanoseconds(span.end)},
             {"attributes", attributes(span)},
             {"status", {{"code", span.failed ? status_error : status_ok}}}};
    if (span.parent != 0) one["parentSpanId"] = id_of(span.parent);
    return one;
}

} // namespace

std::string to_otlp(const std::vector<Span>& spans, const std::string& box) {
    json all = json::array();
    for (const Span& span : spans) all.push_back(written(span));
    const json resource{
        {"attributes", json::array({word("service.name", "clinic-syncd"), word("service.instance.id", box)})}};
    json scope{{"scope", {{"name", "clinic-edge"}}}, {"spans", std::move(all)}};
    return base::dump_json(
        {{"resourceSpans", json::array({{{"resource", resource}, {"scopeSpans", json::array({std::move(scope)})}}})}});
}

} // namespace clinic::trace
