// A network of the thread's own with a name server of the test's: what the system's resolver asks there is answered, or
// not. As root.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace clinic::diagnose {

enum class Names : std::uint8_t { none_known, silent };

// Runs it in a thread that has nothing but a loopback, and that name server. False: no such network can be made.
bool in_own_network(Names names, const std::function<void()>& run);

} // namespace clinic::diagnose
