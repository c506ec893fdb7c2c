// What a change is told as: the webhooks that the live service sends of it, by the fields of their pages.
//   Threads: pure.
//   Source:  facts/ghl-api §4.1, §4.2, §4.4.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/emulator/world.h"

namespace clinic::emulator {

// By type and fields, without the heading. Of an opportunity there are two: the special one and OpportunityUpdate, also
// behind a create and a deletion. None of tags and custom fields of the location.
std::vector<std::pair<std::string, Json>> events_of(Kind kind, const Json* before, const Json* after);

} // namespace clinic::emulator
