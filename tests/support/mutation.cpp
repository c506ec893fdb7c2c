#include "tests/support/mutation.h"

#include <utility>

namespace clinic::support {
namespace {

constexpr std::size_t erased_max = 8, moved_max = 24, doubled_max = 2'000;

} // namespace

// Not a distribution of the library: those differ between machines.
std::size_t Mutator::below(std::size_t bound) {
    return bound == 0 ? 0 : static_cast<std::size_t>(random_() % bound);
}

std::string Mutator::from(const std::vector<std::string>& samples, int changes_max) {
    return changed(samples.at(below(samples.size())), samples, changes_max);
}

std::string Mutator::changed(std::string bytes, const std::vector<std::string>& samples, int changes_max) {
    const std::size_t changes = 1 + below(static_cast<std::size_t>(changes_max));
    for (std::size_t i = 0; i < changes; ++i) change(bytes, samples);
    return bytes;
}

void Mutator::change(std::string& bytes, const std::vector<std::string>& samples) {
    const std::size_t at = below(bytes.size() + 1);
    const auto any = [this] { return static_cast<char>(below(256)); };
    const auto mark = [this] { return telling_.empty() ? '\0' : telling_[below(telling_.size())]; };
    const bool inside = at < bytes.size();
    switch (below(10)) {
    case 0: bytes.insert(at, 1, any()); break;
    case 1: bytes.insert(at, 1, mark()); break;
    case 2: bytes.erase(at, 1 + below(erased_max)); break;
    case 3:
        if (inside) bytes[at] = any();
        break;
    case 4:
        if (inside) bytes[at] = mark();
        break;
    case 5:
        if (inside) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
        break;
    case 6: bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(moved_max))); break;
    case 7: {
        const std::string& other = samples.at(below(samples.size()));
        bytes.replace(at, below(moved_max), other.substr(below(other.size()), 1 + below(moved_max)));
        break;
    }
    case 8: bytes.resize(at); break; // cut off
    case 9: bytes.insert(at, 1 + below(doubled_max), mark()); break;
    }
}

} // namespace clinic::support
