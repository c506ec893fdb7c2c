#include "crypto/base/no_memory.h"

#include <atomic>
#include <chrono>
#include <new>

#include "crypto/base/log.h"

namespace clinic::base {
namespace {

constexpr std::int64_t silent_s = 60;

std::atomic<const Literal*> area_of_log{nullptr};

void no_memory() {
    static std::atomic<std::int64_t> said_at{-silent_s};
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
    std::int64_t before = said_at;
    if (now - before >= silent_s && said_at.compare_exchange_strong(before, now))
        log(Level::error, *area_of_log.load(),
            Error{Errc::full, "no memory is left", "give this program more (MemoryMax=), or find what takes it"});
    throw std::bad_alloc{};
}

} // namespace

void say_when_memory_ends(Literal area) {
    static const Literal kept = area;
    area_of_log = &kept;
    std::set_new_handler(no_memory);
}

} // namespace clinic::base
