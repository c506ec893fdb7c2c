#include "daemon/integrity.h"

#include "crypto/base/log.h"

namespace clinic::daemon {
namespace {

constexpr std::chrono::milliseconds between_slices{100}, between_looks{60'000};

} // namespace

Integrity::Integrity(records::Store& store, const Clock& clock, std::function<void(const Error&)> damaged)
    : check_{store, {}}, clock_{clock}, damaged_{std::move(damaged)} {}

void Integrity::start() {
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void Integrity::run(const std::stop_token& stop) {
    using Step = records::StoreCheck::Step;
    const std::stop_callback ending{stop, [this] { check_.request_stop(); }};
    while (!stop.stop_requested()) {
        const auto step = check_.step(clock_.now());
        if (!step) base::log(base::Level::warning, "integrity", step.error());
        if (step && *step == Step::damaged) return damaged_(check_.damage());
        const bool goes_on = step && *step == Step::more;
        std::unique_lock lock{waiting_};
        wake_.wait_for(lock, stop, goes_on ? between_slices : between_looks, [] { return false; });
    }
}

} // namespace clinic::daemon
