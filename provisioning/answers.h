// What every command does with clinicd's answer.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "provisioning/client.h"

namespace clinic::provisioning {

inline constexpr int failed = 2; // exit status: not done, or not working

int exit_of(const nlohmann::json& answer);
void print_json(const nlohmann::json& value);
// A command whose answer is shown as it is: JSON.
int plain(const Client& client, const char* command, const nlohmann::json& args);

} // namespace clinic::provisioning
