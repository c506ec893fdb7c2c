// One thread of a program of the machine, stopped from outside, as a disk that does not answer stops a writer: the
// others go on.
//   Errors:  thrown.
//   Threads: one: who stopped it lets it go.
#pragma once

#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace clinic::e2e {

class StoppedThread {
public:
    StoppedThread(pid_t process, const std::string& name) : thread_{find(process, name)} {
        int how = 0;
        if (ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) != 0 ||
            ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) != 0 || waitpid(thread_, &how, __WALL) != thread_)
            throw std::runtime_error{"the thread cannot be stopped"};
    }
    ~StoppedThread() {
        if (!is_gone()) ptrace(PTRACE_DETACH, thread_, nullptr, nullptr);
    }
    StoppedThread(const StoppedThread&) = delete;
    StoppedThread& operator=(const StoppedThread&) = delete;

    // Asked until it is: the kernel keeps an ended thread for who watches it, and its program with it.
    bool is_gone() {
        int how = 0;
        if (!gone_) gone_ = waitpid(thread_, &how, __WALL | WNOHANG) == thread_ && !WIFSTOPPED(how);
        return gone_;
    }

private:
    static pid_t find(pid_t process, const std::string& name) {
        for (const auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(process) + "/task"}) {
            std::string its;
            std::getline(std::ifstream{task.path() / "comm"}, its);
            if (its == name) return std::stoi(task.path().filename());
        }
        throw std::runtime_error{"there is no thread of the name " + name};
    }
    const pid_t thread_;
    bool gone_ = false;
};

} // namespace clinic::e2e
