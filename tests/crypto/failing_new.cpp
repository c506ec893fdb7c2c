#include "tests/crypto/failing_new.h"

#include <cstdlib>
#include <new>

namespace {

thread_local int calls_made = 0, fails_at = 0;
thread_local bool fails_once = true, has_failed = false;

bool is_refused() {
    if (fails_at == 0) return false;
    const int call = ++calls_made;
    if (call < fails_at || (fails_once && call > fails_at)) return false;
    has_failed = true;
    return true;
}

} // namespace

void* operator new(std::size_t size) {
    if (is_refused()) throw std::bad_alloc{};
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

bool fail_allocation(int nth, bool once) {
    const bool was_to_come = fails_at > 0 && !has_failed;
    fails_at = nth;
    fails_once = once;
    calls_made = 0;
    has_failed = false;
    return was_to_come;
}

} // namespace clinic::crypto::tests
