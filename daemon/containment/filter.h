// The system call filter that closed every way out that was tried (facts/poco §2).
#pragma once

#include "crypto/base/result.h"

namespace clinic::containment {

// Refuses with EPERM, never a kill; for every thread of the process. Sets no_new_privs.
Result<void> load_filter();

} // namespace clinic::containment
