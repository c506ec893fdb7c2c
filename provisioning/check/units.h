// The units that the checks ask the service manager for.
#pragma once

#include <array>
#include <string>

#include "provisioning/check/check.h"
#include "systemd/manager.h"

namespace clinic::check {

inline constexpr std::array time_units{"systemd-timesyncd.service", "chrony.service", "ntpsec.service", "ntp.service",
                                       "openntpd.service"};
inline constexpr std::array socket_units{"clinic-edge-control.socket", "clinic-edge-egress.socket",
                                         "clinic-edge-https.socket", "clinic-edge-mllp.socket"};
inline constexpr std::array looked_at_units{"clinicd.service",
                                            "clinic-syncd.service",
                                            "clinic-edge.target",
                                            "clinic-edge-credentials.service",
                                            "clinic-edge-firewall.service",
                                            socket_units[0],
                                            socket_units[1],
                                            socket_units[2],
                                            socket_units[3],
                                            time_units[0],
                                            time_units[1],
                                            time_units[2],
                                            time_units[3],
                                            time_units[4]};
inline constexpr std::array rules_unit{"clinic-edge-lan-rules.service"}; // looks at the packet filter, and ends so

std::string state_of(const systemd::Unit& unit); // ActiveState
Finding no_manager();

} // namespace clinic::check
