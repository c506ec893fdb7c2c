// The properties of org.clinicedge.Clinicd1, a row each: its name, and how it is told. For box_object.cpp alone.
#pragma once

#include <systemd/sd-bus.h>

#include <vector>

#include "systemd/box_object.h"

namespace clinic::systemd {

int append_property(const char* name, const BoxFacts& facts, sd_bus_message* into); // for sd-bus: below 0 an error
int append_words(sd_bus_message* into, const std::vector<std::string>& words);
// The names of those that differ, which are the vtable's own.
std::vector<const char*> changed_properties(const BoxFacts& before, const BoxFacts& now);

} // namespace clinic::systemd
