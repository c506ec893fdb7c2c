// The calls that would get data out or undo the containment, each made with arguments that do nothing where it is
// allowed. The filter answers before the kernel looks at the arguments, so EPERM tells (ENOTSOCK, of messages). Calls
// of another architecture are not among them: a filter of the service manager may kill for them, and a machine without
// them does.
#pragma once

#include <span>

#include "crypto/base/result.h"

namespace clinic::containment {

struct Way {
    Literal name;
    bool (*refused)();
};

std::span<const Way> ways();

} // namespace clinic::containment
