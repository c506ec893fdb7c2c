// A declared check: what it is called, what explains it, and the look that it takes.
//   Form:    docs/checks.md has every id with its causes and what to do; a test holds the two together.
//   Threads: a look runs in a thread of its own and may outlive the run: it touches nothing but its scene.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include "crypto/base/result.h"

namespace clinic::check {

enum class Outcome : std::uint8_t {
    ok,
    suppressed, // what it follows from is not well: nothing was looked at
    unknown,    // could not be looked at
    warn,       // works, and needs a look
    fail
};
const char* name(Outcome outcome); // "not_known"

struct Finding {
    Outcome outcome = Outcome::ok;
    std::string said;   // what was seen: numbers, and names of devices, units, files and issuers; never of a person
    Literal cause = ""; // why it is not ok
    Literal next = "";  // what to do
};

Finding ok(std::string said);
Finding unknown(std::string said, Literal cause, Literal next);
Finding warn(std::string said, Literal cause, Literal next);
Finding fail(std::string said, Literal cause, Literal next);

enum class Group : std::uint8_t { machine, disk, clock, setup, keys, certificates, services, network, box, delivery };
const char* name(Group group); // "certificates"

struct Scene;

struct Check {
    const char* id; // stable
    const char* title;
    Group group;
    std::array<const char*, 4> follows; // ids above this one in the table; null: none
    Finding (*look)(const Scene&);
    std::chrono::milliseconds patience{2'000}; // longer, and it is not known
    bool even_so = false;                      // looked at in spite of its root, which explains it only if it is not ok
};

} // namespace clinic::check
