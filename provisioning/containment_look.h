// The containment, as clinicd said it and as it is seen from outside, in one report.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace clinic::provisioning {

// `said`: clinicd's answer to "containment"; the report: containment_view.h. As root; others see too little.
nlohmann::json look_at_containment(const nlohmann::json& said, const std::filesystem::path& control);

} // namespace clinic::provisioning
