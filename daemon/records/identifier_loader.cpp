#include "daemon/records/identifier_loader.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "crypto/base/log.h"

namespace clinic::records {
namespace {

constexpr std::chrono::seconds try_again_after{5};

bool may_pass(Errc code) {
    return code == Errc::system || code == Errc::full || code == Errc::timeout;
}

} // namespace

IdentifierLoader::IdentifierLoader(Slice slice, std::int64_t after, std::function<void(const Error&)> damaged)
    : slice_{std::move(slice)}, damaged_{std::move(damaged)}, thread_{[this, after](const std::stop_token& stop) {
          run(stop, after);
      }} {}

void IdentifierLoader::run(const std::stop_token& stop, std::int64_t after) const {
    std::mutex sleeping;
    std::condition_variable_any woken;
    while (!stop.stop_requested()) {
        const auto next = slice_(after);
        if (next && !*next) return;
        if (next) {
            after = **next;
            continue;
        }
        if (!may_pass(next.error().code)) return damaged_(next.error());
        base::log(base::Level::error, "records: the identifiers for the last check cannot be read", next.error());
        std::unique_lock lock{sleeping};
        woken.wait_for(lock, stop, try_again_after, [] { return false; });
    }
}

} // namespace clinic::records
