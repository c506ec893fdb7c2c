// The zone of this process, while it lives; then the one before.
//   Threads: none beside it.
#pragma once

#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

namespace clinic::fakes {

class Zone {
public:
    explicit Zone(const char* name) {
        if (const char* before = std::getenv("TZ")) before_ = before;
        setenv("TZ", name, 1);
        tzset();
    }
    ~Zone() {
        before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ");
        tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

private:
    std::optional<std::string> before_;
};

} // namespace clinic::fakes
