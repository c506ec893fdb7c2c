// What the sender's user can do to clinicd: tried, in a child process that becomes that user.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioning/outside.h"

namespace clinic::provisioning {

struct Tried {
    std::string what;
    bool refused;
};

// Opens what shows memory and descriptors, attaches, reads memory, takes a descriptor, sends a signal, opens the
// records, the key and control.sock. nullopt: the child could not become that user. As root.
std::optional<std::vector<Tried>> try_as(uid_t user, const About& about);

} // namespace clinic::provisioning
