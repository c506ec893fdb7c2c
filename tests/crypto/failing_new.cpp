#include "tests/crypto/failing_new.h"

#include <cstdlib>
#include <new>
#include <utility>

namespace {

thread_local int fails_in = 0;

} // namespace

void* operator new(std::size_t size) {
    if (fails_in > 0 && --fails_in == 0) throw std::bad_alloc{};
    if (void* made = std::malloc(size == 0 ? 1 : size)) return made;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace clinic::crypto::tests {

bool fail_allocation(int nth) {
    return std::exchange(fails_in, nth) > 0;
}

} // namespace clinic::crypto::tests
