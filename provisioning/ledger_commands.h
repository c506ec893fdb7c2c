// clinicctl's commands for what left the building, and for what another policy would let leave. docs/ledger.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int show_ledger(const Call& call, const Client& client);
int preview_policy(const Call& call, const Client& client);

std::string view_ledger(const nlohmann::json& page);
std::string view_preview(const nlohmann::json& preview);

} // namespace clinic::provisioning
