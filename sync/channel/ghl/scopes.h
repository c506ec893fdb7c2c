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

// What is needed for it besides, where the settings want it.
struct Wants {
    bool cases = false;    // a pipeline
    bool bookings = false; // those that are the clinic's appointments
};
Wants wants_of(const envelope::WriteRules& rules);

std::string needed_scopes(Wants wants); // between spaces
// Of what is needed, in the order of the table; `granted`: as GHL writes it, between spaces.
std::vector<MissingScope> missing_scopes(std::string_view granted, Wants wants);
MissingScope needed_for(envelope::Route route);

} // namespace clinic::ghl
