// The status, a basis or an import's report as text in 80 columns, from clinicd's JSON. docs/status.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace clinic::provisioning {

std::string view(const nlohmann::json& status, bool in_place); // in place: clears the screen first
std::string view_basis(const nlohmann::json& basis);
std::string view_import(const nlohmann::json& report);

} // namespace clinic::provisioning
