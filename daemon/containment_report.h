// What holds of "No way out", looked at again whenever somebody asks; docs/containment.md.
//   Threads: any.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "daemon/containment/containment.h"
#include "daemon/health/health.h"

namespace clinic::daemon {

class ContainmentReport {
public:
    // `tried`: the ways that could only be tried at start, on sockets made for it.
    ContainmentReport(containment::Options how, std::vector<containment::Part> tried, health::Health& health)
        : how_{std::move(how)}, tried_{std::move(tried)}, health_{health} {}

    // The kernel's answer of now, which the status shows from then on; a part that does not hold is logged.
    std::vector<containment::Part> look() const;
    // What came of the bus: a part from then on. Looks again.
    void joined_bus(containment::Part part);
    // For clinicctl: the parts, and what it needs to look from outside.
    nlohmann::json to_json() const;

private:
    const containment::Options how_;
    const std::vector<containment::Part> tried_;
    health::Health& health_;
    mutable std::mutex mutex_;
    std::optional<containment::Part> bus_; // under mutex_
};

} // namespace clinic::daemon
