// `clinicctl template show`: of the template that the setup chose, what the tags mean and how long things are kept.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int template_show(const Call& call, const Client& client);
std::string view_template(const nlohmann::json& said);

} // namespace clinic::provisioning
