// What the checks found, as text in 80 columns, from their JSON (docs/checks.md).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace clinic::provisioning {

std::string view_check(const nlohmann::json& report);

} // namespace clinic::provisioning
