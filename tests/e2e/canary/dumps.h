// Core dumps into a folder of the test's own, from when it is made (another test's turn is waited for) until its end;
// then the machine's pattern is back, also when the test is killed.
//   Threads: one.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::e2e {

class Dumps {
public:
    explicit Dumps(std::filesystem::path folder); // as root; throws where the kernel's pattern cannot be set
    ~Dumps();
    Dumps(const Dumps&) = delete;
    Dumps& operator=(const Dumps&) = delete;

    // The kernel writes a file, as far as the process's RLIMIT_CORE goes (at first); or it gives the memory to a
    // handler behind a pipe, for which no limit counts, so that only what is not dumpable keeps it. Throws as above.
    void by_file();
    void by_handler();
    bool is_in_effect() const; // nobody else has set the pattern since

    // Any size, for that process and what it starts; false: it is gone, or the limit cannot be raised.
    static bool allow(pid_t process);
    // RLIMIT_CORE, hard, as the kernel says: "0", "unlimited"; empty: it is gone.
    static std::string limit(pid_t process);
    // A program that renounced nothing, as user `user`: `text` is in its memory, and it aborts. Empty: no dump came.
    std::filesystem::path control(const std::string& text, uid_t user) const;
    std::vector<std::filesystem::path> all() const;

private:
    void set(const std::string& pattern);

    std::filesystem::path folder_;
    base::UniqueFd turn_;
    std::string pattern_;
    base::UniqueFd life_; // its other end is held by a process that puts the pattern back when we are gone
    pid_t keeper_ = 0;
};

} // namespace clinic::e2e
