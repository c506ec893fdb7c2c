// The report on the containment: clinicd's own answer and the look from outside, as JSON and as text in 80 columns.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "provisioning/outside.h"

namespace clinic::provisioning {

// {"v":1,"holds":…,"inside":[{"part","holds","detail"}],"outside":[…]}; `holds` of a part is null where it could not be
// looked at, and then the whole does not hold either.
nlohmann::json containment_report(const nlohmann::json& inside, const std::vector<Seen>& outside);
std::string view_containment(const nlohmann::json& report);

} // namespace clinic::provisioning
