// Answers from other threads to the server's loop, and the way to wake it. Outlives the server: an answer may come
// late. Private to the server.
//   Threads: put and wake any; take the loop's.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::intake {

class MllpMailbox {
public:
    struct Letter {
        std::uint64_t connection, frame;
        std::string text;
    };

    explicit MllpMailbox(base::UniqueFd wake) : wake_{std::move(wake)} {} // an eventfd
    int fd() const { return wake_.get(); }
    void put(Letter letter);
    void wake();
    std::vector<Letter> take();

private:
    base::UniqueFd wake_;
    std::mutex mutex_;
    std::vector<Letter> letters_;
};

} // namespace clinic::intake
