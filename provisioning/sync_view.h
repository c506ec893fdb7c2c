// The answers of the sync commands as tables. Throws as nlohmann does where a key is not there: clinicd's answers have
// them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace clinic::provisioning {

std::string view_sync(const nlohmann::json& status);
std::string view_dead(const nlohmann::json& letters);
std::string view_letter(const nlohmann::json& letter);
std::string view_dead_settled(const nlohmann::json& settled);

} // namespace clinic::provisioning
