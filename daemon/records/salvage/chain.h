// The audit chain of a store whose files are looked at: which of its links are not there.
//   Bounds:  audit::gaps_max gaps; what is beyond becomes one with the last of them.
//   Errors:  none: damage is the finding.
//   Threads: one.
//   Source:  docs/audit.md. What the links say is proven by `clinicctl audit verify`, on a running box.
#pragma once

#include <vector>

#include "daemon/audit/walk.h"
#include "daemon/records/salvage/survey.h"

namespace clinic::salvage {

// Numbers that were given and whose links are missing, or that no page leads to any more.
std::vector<audit::Gap> missing_links(const crypto::StoreImage& image, const Survey& found);

} // namespace clinic::salvage
