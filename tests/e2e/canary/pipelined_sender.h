// A practice system in a hurry: several connections, each with many messages on the way.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace clinic::e2e {

struct Answers {
    std::size_t accepted = 0, refused = 0; // AA or CA; AE, AR and the like
    std::string text;                      // all that was answered
};

// Messages `from` to `to` (not included), over `connections`. Ends early where a connection does.
Answers send_all(unsigned short port, std::size_t from, std::size_t to, std::size_t connections,
                 const std::function<std::string(std::size_t)>& message);

// Bytes as they are, and what came back within a second of silence.
std::string send_raw(unsigned short port, const std::string& bytes);

} // namespace clinic::e2e
