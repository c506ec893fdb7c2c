// What the sender can do to clinicd: tried, in a child process that becomes exactly who the sender is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioning/outside.h"
#include "provisioning/proc.h"

namespace clinic::provisioning {

// Only what the protection itself answers (EACCES, EPERM) is a refusal; any other failure says nothing about it.
enum class Outcome { refused, open, not_looked_at };

struct Tried {
    std::string what;
    Outcome outcome;
    int why; // errno, where it was not looked at
};

// Opens what shows memory and descriptors, attaches, reads memory, takes a descriptor, sends a signal, opens the
// records, each file in them, the key, the log and control.sock. What is not there was not looked at. nullopt: the
// child could not become that user. As root.
std::optional<std::vector<Tried>> try_as(const Identity& sender, const About& about);

} // namespace clinic::provisioning
