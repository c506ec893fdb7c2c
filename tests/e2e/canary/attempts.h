// What the programs of a box tried of the network and were refused: what dies on a system call filter leaves no packet.
// The kernel counts: its trace of the calls' answers, for the supervisor, its children and all of their threads.
//   Threads: one.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::e2e {

class Attempts {
public:
    // `processes`: what runs already. As root; `counts` says false where the kernel has no such trace.
    explicit Attempts(const std::vector<pid_t>& processes);
    ~Attempts();
    Attempts(const Attempts&) = delete;
    Attempts& operator=(const Attempts&) = delete;

    bool counts() const { return counts_; }
    void forget();                            // what was until now
    std::vector<std::string> refused() const; // "name of the thread: call", since then

private:
    bool put(const char* file, const std::string& text) const;

    base::UniqueFd file_system_, folder_;
    std::string name_;
    bool counts_ = false;
};

} // namespace clinic::e2e
