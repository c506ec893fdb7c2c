// No file may grow beyond so many bytes while it lives: to a program that is a full disk.
//   Threads: one; it counts for the whole process.
#pragma once

#include <sys/resource.h>

#include <csignal>

namespace clinic::fakes {

class FullDisk {
public:
    explicit FullDisk(rlim_t bytes = 8'192) {
        std::signal(SIGXFSZ, SIG_IGN);
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit small{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
    }
    ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit before_{};
};

} // namespace clinic::fakes
