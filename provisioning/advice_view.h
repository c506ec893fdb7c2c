// The store's statements as text in 80 columns, from clinicd's JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace clinic::provisioning {

std::string view_advice(const nlohmann::json& statements);

} // namespace clinic::provisioning
