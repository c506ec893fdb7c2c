// What central ops reads: topics and payloads. Pure; device kinds only, never a patient kind.
//   Form:   docs/mqtt.md.
//   Source: facts/mqtt.md §6, facts/health-interop §7 (dev.health, dev.event; counts under 11 are not told).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "sync/envelope/frame.h"

namespace clinic::mqtt {

std::string state_topic(std::string_view box);                     // clinic/{box}/state
std::string up_topic(std::string_view box, std::string_view type); // clinic/{box}/up/v1/{type}

// The retained state, and the will: `reason` is connected, shutdown or lwt.
std::string state_payload(std::string_view box, std::int64_t session, bool online, std::string_view reason);

struct Heading { // of each message under up/v1
    std::string box, msg_id;
    std::int64_t session = 0, sequence = 0;
    Timestamp at{}, sent{}; // of what is told; of this telling
};
std::string metrics_payload(const Heading& heading, const envelope::Device& device, const envelope::TimeState& lanes);
std::string event_payload(const Heading& heading, const envelope::Device::Event& event);

// 0, lt11, 11_25, 26_50, 51_100, 101_250, gt250
const char* count_band(std::int64_t count);
// lt1m, lt15m, lt1h, lt1d, ge1d
const char* age_band(std::int64_t seconds);

} // namespace clinic::mqtt
