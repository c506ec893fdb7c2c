// What clinicctl can do: a table of words, read top to bottom.
#pragma once

#include <span>
#include <string>

namespace clinic::provisioning {

// The exit status: 0 done and well, 1 needs a look, 2 not done or not working.
int run(std::span<const std::string> arguments);

} // namespace clinic::provisioning
