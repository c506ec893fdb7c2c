// What must hold in a store of which a part was lost, so that the box can work with it.
//   Errors:  as a statement.
//   Threads: one.
#pragma once

#include "daemon/records/salvage/aside.h"
#include "daemon/records/salvage/salvage.h"
#include "daemon/records/store.h"

namespace clinic::salvage {

// On the connection that copied, before the triggers are back: books that are rows, a chain that can grow, no key given
// twice, and no legal basis where anything was lost.
Result<void> mend(records::Connection& connection, Salvaged& salvaged, std::int64_t key_slots, Aside& aside);

// In the open store: indexes anew where rows of them were lost, and the audit chain's entry.
Result<void> finish(records::Store& store, Salvaged& salvaged);

} // namespace clinic::salvage
