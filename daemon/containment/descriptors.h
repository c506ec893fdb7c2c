// What this process holds open: nothing that reaches further than the sockets that were handed over.
#pragma once

#include <set>

namespace clinic::containment {

// Listening sockets and connections of `ports`, UNIX sockets, files, pipes, and the kernel's plain helpers (events,
// timers). Anything else is a way out: a socket of another port or kind, a network device, an io_uring, a namespace, a
// handle on a process.
bool only_declared_descriptors(const std::set<unsigned short>& ports);

} // namespace clinic::containment
