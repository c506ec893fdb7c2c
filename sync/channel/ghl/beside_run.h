// Private to clinic::ghl: delivers what a lease says of an opportunity or a booking: looked up, made, or written to.
//   Source: design, "Ambiguity resolved by reading"; docs/ghl.md, "Beside the contact".
#pragma once

#include "sync/channel/ghl/conversation.h"

namespace clinic::ghl {

// Whether what is written is read again, and written again where GHL holds something else; and what it held.
struct ReadBack {
    bool is_read = false, may_write_again = true;
    std::optional<bool> kept = {};
};

// What makes one that a search finds this lease's own.
Sought sought(const envelope::Lease& lease);

// `talk` looks for `sought`. The codes of its own: "no_object" (not there and not to be made), "object_taken" (GHL
// lets no other one be opened beside a stranger's), "object_gone" (ours is not there any more), "not_kept" (GHL has
// answered, and holds another status).
lane::Delivery deliver_beside(Conversation& talk, const WriteRules& rules, const envelope::Lease& lease,
                              ReadBack& back);

} // namespace clinic::ghl
