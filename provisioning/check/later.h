// A question that may never be answered (a dead disk, a silent process), asked in a thread of its own.
//   Threads: `wait` from any. The thread outlives its owner where the question hangs: it holds only what it was given.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

namespace clinic::check {

using Instant = std::chrono::steady_clock::time_point;

template <class Answer>
class Later {
public:
    explicit Later(std::function<Answer()> question) : state_{std::make_shared<State>()} {
        std::thread{[state = state_, question = std::move(question)] {
            auto answer = question();
            {
                const std::lock_guard lock{state->mutex};
                state->answer = std::move(answer);
            }
            state->there.notify_all();
        }}.detach();
    }
    // Null: not by then.
    const Answer* wait(Instant until) const {
        std::unique_lock lock{state_->mutex};
        const bool there = state_->there.wait_until(lock, until, [&] { return state_->answer.has_value(); });
        return there ? &*state_->answer : nullptr;
    }

private:
    struct State {
        std::mutex mutex;
        std::condition_variable there;
        std::optional<Answer> answer; // set once
    };
    std::shared_ptr<State> state_;
};

} // namespace clinic::check
