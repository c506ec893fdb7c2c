// Private to clinic::ghl: delivers what a lease says of an opportunity or a booking: looked up, made, or written to.
//   Source: design, "Ambiguity resolved by reading"; docs/ghl.md, "Beside the contact".
#pragma once

#include "sync/channel/ghl/conversation.h"

namespace clinic::ghl {

// What makes one that a search finds this lease's own.
Sought sought(const envelope::Lease& lease);

// `talk` looks for `sought`. The codes of its own: "no_object" (not there and not to be made), "object_taken" (GHL
// lets no other one be opened beside a stranger's), "object_gone" (ours is not there any more).
lane::Delivery deliver_beside(Conversation& talk, const WriteRules& rules, const envelope::Lease& lease);

} // namespace clinic::ghl
