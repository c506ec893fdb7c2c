// What goes to the broker is made from a frame of clinicd's: a mutated one is refused, or what is published of it is
// the closed document of docs/mqtt.md and nothing else.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "sync/channel/mqtt/messages.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"
#include "tests/sync/envelope/samples.h"

namespace clinic::mqtt {
namespace {

using nlohmann::json;

constexpr int frames_a_round = 2'000;
constexpr std::size_t payload_bytes_max = 4'096;

std::set<std::string> keys_of(const json& object) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(key);
    return keys;
}

const std::set<std::string> heading{"v", "msg_id", "box", "session", "seq", "ts", "sent_ts", "type", "data"};
const std::set<std::string> metrics{
    "mode",          "uptime_s",     "version",   "queue", "oldest", "dead", "disk_free_percent",
    "clock_trusted", "kernel_clock", "contained", "chain", "basis",  "crm",  "crm_code",
    "feeds"};

void check(const envelope::Device& device, const std::string& frame) {
    const Heading head{"demo-1", "m-1", 1'795'255'201, 7, {1'795'255'200'000'000}, {1'795'255'200'000'000}};
    const std::string payload = metrics_payload(head, device, {});
    ASSERT_LE(payload.size(), payload_bytes_max) << frame;
    const auto told = json::parse(payload, nullptr, false);
    ASSERT_TRUE(told.is_object()) << frame;
    ASSERT_EQ(keys_of(told), heading) << frame;
    ASSERT_EQ(keys_of(told["data"]), metrics) << frame;
    for (const auto& [feed, counts] : told["data"]["feeds"].items())
        for (const auto& [key, band] : counts.items()) ASSERT_TRUE(band.is_string()) << frame; // never a small count
    for (const auto& event : device.events)
        ASSERT_EQ(keys_of(json::parse(event_payload(head, event), nullptr, false)["data"]),
                  (std::set<std::string>{"number", "code", "severity"}));
}

TEST(BadPayloads, AreRefusedOrTellWhatTheDocumentationNames) {
    std::vector<std::string> samples;
    for (const auto& reply : envelope::samples::replies()) samples.push_back(envelope::encode(reply));
    const std::string device = envelope::encode(envelope::Reply{envelope::samples::device()});
    std::int64_t told = 0;
    support::Campaign campaign{
        {.name = "bad_payloads", .what = "mutated frames", .plain = 10, .most = 500, .weight = frames_a_round}};
    while (const auto seed = campaign.next()) {
        support::Mutator mutate{*seed, "\"{}[],:\\0179-eE_ \n"};
        for (int i = 0; i < frames_a_round; ++i) {
            const std::string frame = mutate.changed(device, samples, 2);
            const auto reply = envelope::decode_reply(frame);
            if (!reply || !std::holds_alternative<envelope::Device>(*reply)) continue;
            check(std::get<envelope::Device>(*reply), frame);
            if (HasFatalFailure()) return;
            ++told;
        }
    }
    EXPECT_GT(told, 0) << "the mutations are so wild that they prove nothing";
}

} // namespace
} // namespace clinic::mqtt
