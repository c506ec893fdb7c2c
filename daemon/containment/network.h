// Whether a network namespace leads anywhere, asked of /proc.
//   Threads: any.
#pragma once

#include <string>

namespace clinic::containment {

// `folder`: of a process or thread, "/proc/self". A loopback that others use as well would still be a way to them, so
// nobody listens in it either.
bool network_is_empty(const std::string& folder);

} // namespace clinic::containment
