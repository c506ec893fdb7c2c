// This program's `operator new`, which fails when it is told to.
#pragma once

namespace clinic::crypto::tests {

// The `nth` allocation of this thread from now on throws std::bad_alloc. 0: none. Answers whether one was still to
// fail.
bool fail_allocation(int nth);

} // namespace clinic::crypto::tests
