// What the surveyor found, as clinicctl is told of it.
//   Threads: values; any.
#pragma once

#include "sync/channel/ghl/inventory.h"
#include "sync/diagnose/said/location_said.h"

namespace clinic::sync {

diagnose::LocationSaid location_answer(const envelope::WriteRules& rules, const ghl::Inventory& there);

} // namespace clinic::sync
