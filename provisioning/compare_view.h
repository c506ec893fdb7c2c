// The answers of the full comparison as text. Throws as nlohmann does where a key is not there: clinicd's answers have
// them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace clinic::provisioning {

std::string view_compare(const nlohmann::json& facts);
std::string view_repair(const nlohmann::json& done);

} // namespace clinic::provisioning
