// What must hold in a store of which a part was lost, so that the box can work with it.
//   Errors:  as a statement.
//   Threads: one.
#pragma once

#include "daemon/records/salvage/salvage.h"
#include "daemon/records/store.h"

namespace clinic::salvage {

// On the connection that copied, before the triggers are back: books that are rows, people that are counted right, and
// no key given twice.
Result<void> mend(records::Connection& connection, const Salvaged& salvaged, std::int64_t key_slots);

// Nothing leaves until a person sets the legal basis again: an opt-out may be lost.
Result<void> close_the_basis(records::Transaction& txn);

// People of an older copy whose key was erased since: their rows go as well. Answers how many.
Result<std::int64_t> erase_the_keyless(records::Store& store);

// In the open store: an audit chain that says what is lost of it and can grow, indexes anew where rows of them were
// lost, no legal basis where anything was lost, and the chain's entry.
Result<void> finish(records::Store& store, Salvaged& salvaged);

} // namespace clinic::salvage
