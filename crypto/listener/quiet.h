// What the HTTP library's own threads say when a client leaves, lies or is slow: it is counted; anything else is logged
// by kind, and never by its text.
//   Threads: any.
#pragma once

#include <cstdint>

namespace clinic::listener {

void keep_quiet();                     // from now on, in the whole program
std::int64_t unreadable_connections(); // thrown away by the library before anybody could answer

// Each connection is a descriptor, and the usual soft limit is 1,024: asked for up to the hard one. What the machine
// does not give is said and not fatal.
void ask_for_descriptors(std::int64_t wanted);

} // namespace clinic::listener
