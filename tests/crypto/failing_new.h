// This program's `operator new`, which fails when it is told to.
#pragma once

namespace clinic::crypto::tests {

// The `nth` allocation of this thread from now on throws std::bad_alloc: once, or it and all after it. 0: none. Answers
// whether the one that was asked for before was still to come.
bool fail_allocation(int nth, bool once = true);

} // namespace clinic::crypto::tests
