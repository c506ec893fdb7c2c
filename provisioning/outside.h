// The containment of clinicd as another process sees it: what the kernel shows of it in /proc, and what the sender
// can do to it. What clinicd says of itself is compared with what is there, as far as that can be: docs/containment.md.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace clinic::provisioning {

struct Seen {
    std::string part;
    std::optional<bool> holds; // absent: could not be looked at
    std::string detail;
};

// What clinicd said of itself.
struct About {
    pid_t pid = 0;
    std::optional<uid_t> peer;
    std::filesystem::path records, credential, control;
    std::set<unsigned short> ports;
    std::set<std::string> doors; // names of its listening UNIX sockets
};

// Every part, each looked at; as root. Other users see too little: one part says so.
std::vector<Seen> look_from_outside(const About& about);

} // namespace clinic::provisioning
