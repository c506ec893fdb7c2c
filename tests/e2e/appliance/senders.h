// Senders as a clinic has them, on the port of MLLP: one message at a time, the next after its answer; after anything
// else than AA, or a connection that ended, connected anew and with the next message.
//   Threads: one for each sender; `message` is called on all of them.
#pragma once

#include <atomic>
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace clinic::e2e {

// One message, and what its sender heard.
struct Spoken {
    std::string message, answer;
    bool ended = false; // the box hung up before the answer's end
    bool is_acknowledged() const;
    friend std::ostream& operator<<(std::ostream& out, const Spoken& one);
};

class Senders {
public:
    Senders(std::size_t count, std::function<std::string()> message);
    int acknowledged() const { return acknowledged_; }
    std::vector<Spoken> end(); // each waits for the answer that it has not yet, or for the end of its connection

private:
    void speak(std::vector<Spoken>& mine);

    const std::function<std::string()> message_;
    std::atomic<int> acknowledged_{0};
    std::atomic<bool> over_{false};
    std::vector<std::vector<Spoken>> spoken_;
    std::vector<std::jthread> threads_;
};

} // namespace clinic::e2e
