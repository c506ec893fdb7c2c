#include "crypto/listener/quiet.h"

#include <Poco/ErrorHandler.h>
#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>

#include "crypto/base/log.h"

namespace clinic::listener {
namespace {

class Quiet final : public Poco::ErrorHandler {
public:
    std::int64_t unreadable() const { return unreadable_; }

    void exception(const Poco::Exception& thrown) override {
        if (dynamic_cast<const Poco::SyntaxException*>(&thrown) != nullptr) return say_unreadable();
        if (dynamic_cast<const Poco::Net::NetException*>(&thrown) != nullptr ||
            dynamic_cast<const Poco::TimeoutException*>(&thrown) != nullptr ||
            dynamic_cast<const Poco::IOException*>(&thrown) != nullptr)
            return;
        base::log(base::Level::error, "https", "a worker stopped by an exception of the HTTP library");
    }
    void exception(const std::exception&) override {
        base::log(base::Level::error, "https", "a worker stopped by an exception");
    }
    void exception() override {
        base::log(base::Level::error, "https", "a worker stopped by something that is no exception");
    }

private:
    // The library has thrown the connection away before anybody could answer.
    void say_unreadable() {
        ++unreadable_;
        const std::int64_t now =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch())
                .count();
        std::int64_t before = said_at_;
        if (now - before < silent_s || !said_at_.compare_exchange_strong(before, now)) return;
        base::log(base::Level::warning, "https",
                  Error{Errc::malformed, "closed: a request whose length is no number",
                        "look at who asks: a GET of this page has no body"},
                  {{"so_far", unreadable_}});
    }

    static constexpr std::int64_t silent_s = 10; // between two lines
    std::atomic<std::int64_t> unreadable_{0}, said_at_{-silent_s};
};

Quiet& quiet() {
    static Quiet handler;
    return handler;
}

} // namespace

void keep_quiet() {
    Poco::ErrorHandler::set(&quiet());
}

std::int64_t unreadable_connections() {
    return quiet().unreadable();
}

void ask_for_descriptors(std::int64_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= static_cast<rlim_t>(wanted)) return;
    limit.rlim_cur = std::min(static_cast<rlim_t>(wanted), limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        base::log(base::Level::warning, "https", "fewer descriptors than connections are allowed",
                  {{"wanted", wanted}});
}

} // namespace clinic::listener
