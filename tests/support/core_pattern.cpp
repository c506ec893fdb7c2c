#include "tests/support/core_pattern.h"

#include <fcntl.h>
#include <sys/file.h>

#include <stdexcept>

namespace clinic::support {

base::UniqueFd core_pattern_turn() {
    base::UniqueFd turn{open(core_pattern_file, O_RDONLY | O_CLOEXEC)};
    if (!turn || flock(turn.get(), LOCK_EX) != 0)
        throw std::runtime_error{"the kernel's core_pattern cannot be locked"};
    return turn;
}

} // namespace clinic::support
