// The kernel's random numbers of this program, from a seed: what is drawn at a random place is drawn again when a seed
// is tried again. Ids stay unique, because one seed is one life of a box.
#include "tests/model/seeded_random.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <random>

namespace {

std::mutex mutex;
std::mt19937_64 engine{1};

} // namespace

namespace clinic::model {

void seed_random(std::uint64_t seed) {
    const std::lock_guard lock{mutex};
    engine.seed(seed);
}

} // namespace clinic::model

// In the place of the C library's, for all that is linked into this program.
extern "C" ssize_t getrandom(void* out, size_t bytes, unsigned) {
    const std::lock_guard lock{mutex};
    auto* at = static_cast<unsigned char*>(out);
    for (std::size_t done = 0; done < bytes; done += sizeof(std::uint64_t)) {
        const std::uint64_t value = engine();
        std::memcpy(at + done, &value, std::min(sizeof value, bytes - done));
    }
    return static_cast<ssize_t>(bytes);
}
