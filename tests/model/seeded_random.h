// The random numbers of the whole program, from a seed.
#pragma once

#include <cstdint>

namespace clinic::model {

void seed_random(std::uint64_t seed);

} // namespace clinic::model
