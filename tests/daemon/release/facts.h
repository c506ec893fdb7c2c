// People as release sees them, for the tests of this folder.
#pragma once

#include <chrono>

#include "daemon/release/decide.h"

namespace clinic::release::testing {

inline constexpr Timestamp now{1'795'255'200'000'000}; // Saturday 2026-11-21T10:00:00Z

inline Timestamp in_days(double days) {
    return {now.micros + static_cast<std::int64_t>(days * 86'400e6)};
}

inline Timestamp at(int year, unsigned month, unsigned day, int hour = 12, int minute = 0) {
    const std::chrono::sys_days date = std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day);
    const auto time = date + std::chrono::hours{hour} + std::chrono::minutes{minute};
    return {std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count()};
}

// Here twice, last three weeks ago, booked for in five days, reachable both ways.
inline records::PatientFacts regular() {
    records::PatientFacts facts;
    facts.id = records::PatientId::make(now);
    facts.has_mobile = facts.has_email = true;
    facts.created_at = in_days(-400);
    facts.last_visit = in_days(-21);
    facts.visits = 2;
    facts.appointments = {{records::AppointmentId::make(now), records::AppointmentStatus::booked, in_days(5)}};
    return facts;
}

inline Policy policy_of(Basis basis) {
    Policy policy;
    policy.basis = basis;
    policy.site = "s_0123456789";
    return policy;
}

} // namespace clinic::release::testing
