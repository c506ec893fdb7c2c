#include "provisioning/containment_look.h"

#include <nlohmann/json.hpp>

#include "provisioning/containment_view.h"
#include "provisioning/outside.h"

namespace clinic::provisioning {

using nlohmann::json;

json look_at_containment(const json& said, const std::filesystem::path& control) {
    const json& about = said.at("about");
    About whom{.pid = about.at("pid").get<pid_t>(),
               .peer = {},
               .records = about.at("records").get<std::string>(),
               .credential = about.at("credential").get<std::string>(),
               .control = control,
               .ports = about.at("ports").get<std::set<unsigned short>>(),
               .doors = about.at("doors").get<std::set<std::string>>()};
    if (!about.at("peer").is_null()) whom.peer = about.at("peer").get<uid_t>();
    return containment_report(said.at("parts"), look_from_outside(whom));
}

} // namespace clinic::provisioning
