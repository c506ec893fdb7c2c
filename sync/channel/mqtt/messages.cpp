#include "sync/channel/mqtt/messages.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::mqtt {
namespace {

using json = nlohmann::json;

constexpr std::int64_t feed_stale_s = 24 * 3'600;

json headed(const Heading& heading, const char* type, json data) {
    return {{"v", 1},
            {"msg_id", heading.msg_id},
            {"box", heading.box},
            {"session", heading.session},
            {"seq", heading.sequence},
            {"ts", heading.at.micros / 1'000},
            {"sent_ts", heading.sent.micros / 1'000},
            {"type", type},
            {"data", std::move(data)}};
}

const char* lane_word(envelope::LaneState state) {
    switch (state) {
    case envelope::LaneState::up: return "up";
    case envelope::LaneState::paused: return "paused";
    case envelope::LaneState::down: break;
    }
    return "down";
}

const char* feed_word(std::int64_t silent_s) {
    if (silent_s < 0) return "off";
    return silent_s < feed_stale_s ? "up" : "stale";
}

json feeds_of(const envelope::Device& device) {
    json out = json::object();
    for (const auto& feed : device.feeds)
        out[feed.feed] = {{"state", feed_word(feed.silent_s)},   {"received", count_band(feed.received)},
                          {"stored", count_band(feed.stored)},   {"quarantined", count_band(feed.quarantined)},
                          {"refused", count_band(feed.refused)}, {"duplicate", count_band(feed.duplicate)}};
    return out;
}

json health_of(const envelope::Device& device) {
    return {{"mode", device.mode},
            {"uptime_s", device.uptime_s},
            {"version", device.version},
            {"queue", device.queue},
            {"oldest", age_band(device.oldest_s)},
            {"dead", count_band(device.dead)},
            {"disk_free_percent", device.disk_free_percent},
            {"clock_trusted", device.clock_trusted},
            {"chain", device.chain_ok ? "ok" : "broken"},
            {"contained", device.contained},
            {"basis", device.basis},
            {"feeds", feeds_of(device)}};
}

} // namespace

std::string state_topic(std::string_view box) {
    return "clinic/" + std::string{box} + "/state";
}

std::string up_topic(std::string_view box, std::string_view type) {
    return "clinic/" + std::string{box} + "/up/v1/" + std::string{type};
}

std::string state_payload(std::string_view box, std::int64_t session, bool online, std::string_view reason) {
    return base::dump_json({{"v", 1}, {"box", box}, {"online", online}, {"session", session}, {"reason", reason}});
}

std::string metrics_payload(const Heading& heading, const envelope::Device& device, const envelope::TimeState& lanes) {
    auto data = health_of(device);
    data["crm"] = lane_word(lanes.crm);
    data["crm_code"] = lanes.crm_code;
    data["kernel_clock"] = lanes.kernel_synchronised;
    if (device.data_consistency) data["data_consistency"] = *device.data_consistency;
    return base::dump_json(headed(heading, "metrics", std::move(data)));
}

std::string event_payload(const Heading& heading, const envelope::Device::Event& event) {
    return base::dump_json(
        headed(heading, "event", {{"number", event.number}, {"code", event.code}, {"severity", event.severity}}));
}

const char* count_band(std::int64_t count) {
    if (count <= 0) return "0";
    if (count < 11) return "lt11";
    if (count <= 25) return "11_25";
    if (count <= 50) return "26_50";
    if (count <= 100) return "51_100";
    return count <= 250 ? "101_250" : "gt250";
}

const char* age_band(std::int64_t seconds) {
    if (seconds < 60) return "lt1m";
    if (seconds < 15 * 60) return "lt15m";
    if (seconds < 3'600) return "lt1h";
    return seconds < 24 * 3'600 ? "lt1d" : "ge1d";
}

} // namespace clinic::mqtt
