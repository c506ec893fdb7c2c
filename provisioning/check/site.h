// Where the checks look. `clinicctl` gives the box's own places; a test gives its own.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "crypto/base/clock.h"

namespace clinic::check {

struct Site {
    std::filesystem::path root = "/"; // of the machine's own /proc, /sys, /etc, /run and /var
    std::filesystem::path control = "/run/clinic-edge/control.sock";
    std::filesystem::path sync = "/run/clinic-edge/sync/ask.sock"; // where clinic-syncd's settings do not say
    std::filesystem::path clinicd_settings = "/etc/clinic-edge/clinicd.json";
    std::filesystem::path syncd_settings = "/etc/clinic-edge/clinic-syncd.json";
    std::string bus;     // of the service manager: systemd::BusAddress
    std::string version; // of this program
    Timestamp now;
    std::optional<bool> clock_kept; // by a time server, as the kernel says; absent: it does not say
    // The containment of clinicd as another process sees it, of what clinicd said ("containment"): docs/containment.md.
    std::function<nlohmann::json(const nlohmann::json& said)> outside;
};

// Of this machine, now. Errors: none; what cannot be told is absent.
std::optional<bool> is_clock_kept();

} // namespace clinic::check
