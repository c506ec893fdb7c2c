// The system call filter: what clinicd needs from its first accept on, and nothing else. docs/containment.md.
#pragma once

#include "crypto/base/result.h"

namespace clinic::containment {

// Refuses with EPERM (sendmsg and recvmsg with ENOTSOCK), never a kill; for every thread of the process. Sets
// no_new_privs.
Result<void> load_filter();

} // namespace clinic::containment
