// Good input made bad, from a seed: bytes changed, dropped, doubled and moved, parts of other samples put in.
//   The same seed and the same samples give the same bytes on every machine.
//   Threads: one.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace clinic::support {

class Mutator {
public:
    // `telling`: bytes that mean something in the format, put in more often than others.
    Mutator(std::uint64_t seed, std::string telling) : random_{seed}, telling_{std::move(telling)} {}

    // One of the samples with one to `changes_max` changes.
    std::string from(const std::vector<std::string>& samples, int changes_max = 3);
    std::string changed(std::string bytes, const std::vector<std::string>& samples, int changes_max = 3);
    std::size_t below(std::size_t bound); // 0 when `bound` is 0

private:
    void change(std::string& bytes, const std::vector<std::string>& samples);

    std::mt19937_64 random_;
    std::string telling_;
};

} // namespace clinic::support
