// Waits for a condition, never for a time. (A whole box is looked at by programs, less often: tests/e2e/box.h.)
#pragma once

#include <chrono>
#include <functional>
#include <thread>

namespace clinic::fakes {

// Until it holds, or a generous while has passed; answers whether it holds.
inline bool eventually(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (std::chrono::steady_clock::now() < until) {
        if (holds()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds{5}); // between two looks at the condition
    }
    return holds();
}

} // namespace clinic::fakes
