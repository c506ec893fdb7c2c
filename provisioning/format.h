// printf into a string, for what is shown to people: cut off at 511 bytes.
//   Threads: any.
#pragma once

#include <string>

namespace clinic::provisioning {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

} // namespace clinic::provisioning
