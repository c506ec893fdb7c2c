// Says in the log when the last memory is taken, before the exception goes its way: what is refused then, or why a
// program is started anew, is not left to guessing.
//   Bounds:  one line a minute. Takes no memory itself.
//   Threads: any may run out of it; called once, at the start of `main`.
#pragma once

#include "crypto/base/result.h"

namespace clinic::base {

void say_when_memory_ends(Literal area);

} // namespace clinic::base
