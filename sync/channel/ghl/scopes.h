// The scopes that this box needs of GHL, and what does not work without each.
//   Threads: constant data.
//   Source:  facts/ghl-api §1.3.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "sync/envelope/frame.h"

namespace clinic::ghl {

struct MissingScope {
    Literal scope, feature;
};

std::string needed_scopes(); // all of the table, between spaces
// Of what is needed, in the order of the table; `granted`: as GHL writes it, between spaces.
std::vector<MissingScope> missing_scopes(std::string_view granted);
MissingScope needed_for(envelope::Route route);

} // namespace clinic::ghl
