#include "tests/crypto/failing_memory.h"

#include <sqlite3.h>

#include <atomic>
#include <cassert>

namespace clinic::crypto::tests {
namespace {

sqlite3_mem_methods before; // SQLite's own
std::atomic<int> calls_made{0}, fail_at{0};
std::atomic<bool> fails_once{true}, has_failed{false};

bool is_refused() {
    const int call = ++calls_made;
    const int at = fail_at;
    if (at == 0 || call < at || (fails_once && call > at)) return false;
    has_failed = true;
    return true;
}

void* take(int size) {
    return is_refused() ? nullptr : before.xMalloc(size);
}

void* take_again(void* memory, int size) {
    return is_refused() ? nullptr : before.xRealloc(memory, size);
}

void use(const sqlite3_mem_methods& methods) {
    int code = sqlite3_shutdown();
    assert(code == SQLITE_OK);
    code = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    assert(code == SQLITE_OK);
    code = sqlite3_initialize();
    assert(code == SQLITE_OK);
}

} // namespace

FailingMemory::FailingMemory() {
    int code = sqlite3_shutdown();
    assert(code == SQLITE_OK);
    code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &before);
    assert(code == SQLITE_OK && before.xMalloc != nullptr);
    sqlite3_mem_methods failing = before;
    failing.xMalloc = take;
    failing.xRealloc = take_again;
    fail(0, true);
    use(failing);
}

FailingMemory::~FailingMemory() {
    use(before);
}

void FailingMemory::fail(int nth, bool once) {
    fail_at = 0;
    fails_once = once;
    calls_made = 0;
    has_failed = false;
    fail_at = nth;
}

bool FailingMemory::failed() const {
    return has_failed;
}

int FailingMemory::calls() const {
    return calls_made;
}

} // namespace clinic::crypto::tests
