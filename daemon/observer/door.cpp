#include "daemon/observer/door.h"

#include <chrono>

namespace clinic::observer {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 2s, patience_with_one_that_runs = 10s;
constexpr auto pause = 1500ms; // between two questions: nobody waited

} // namespace

bool Door::may_accept() {
    const auto now = clock_.monotonic();
    if (!asked_at_ || now - *asked_at_ > pause) waits_since_ = now;
    asked_at_ = now;
    if (!answers_ && now - *waits_since_ < patience) return false;
    const bool runs = look_().runs;
    answers_ = !runs;
    return !runs || now - *waits_since_ >= patience_with_one_that_runs;
}

} // namespace clinic::observer
