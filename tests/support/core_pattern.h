// The kernel has one core_pattern for the whole machine: one test at a time may choose it.
#pragma once

#include "crypto/base/owned.h"

namespace clinic::support {

inline constexpr const char* core_pattern_file = "/proc/sys/kernel/core_pattern";

// Waits until no other test chooses; ours until the descriptor, and each copy of it in another process, is closed.
// Throws std::runtime_error where there is no such file.
base::UniqueFd core_pattern_turn();

} // namespace clinic::support
