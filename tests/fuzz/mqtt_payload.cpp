// What goes to the broker, from any bytes in place of clinicd's frame: what is told of a frame that passes is one JSON
// document of the documented keys, with bands for counts, and bounded.
#include <cassert>
#include <nlohmann/json.hpp>
#include <variant>

#include "sync/channel/mqtt/messages.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

namespace {

constexpr std::size_t payload_bytes_max = 4'096, heading_keys = 9, metrics_keys = 15, event_keys = 3;

nlohmann::json told(const std::string& payload) {
    assert(payload.size() <= payload_bytes_max);
    auto read = nlohmann::json::parse(payload, nullptr, false);
    assert(read.is_object() && read.size() == heading_keys && read["data"].is_object());
    return read;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto reply = envelope::decode_reply(fuzz::text_of(data, size));
    const auto* device = reply ? std::get_if<envelope::Device>(&*reply) : nullptr;
    if (device == nullptr) return 0;
    const mqtt::Heading head{"demo-1", "m-1", 1'795'255'201, 7, {1'795'255'200'000'000}, {1'795'255'200'000'000}};
    const auto metrics = told(mqtt::metrics_payload(head, *device, {}));
    assert(metrics["data"].size() == metrics_keys);
    for (const auto& [feed, counts] : metrics["data"]["feeds"].items())
        for (const auto& [key, band] : counts.items()) assert(band.is_string());
    for (const auto& event : device->events)
        assert(told(mqtt::event_payload(head, event))["data"].size() == event_keys);
    return 0;
}
