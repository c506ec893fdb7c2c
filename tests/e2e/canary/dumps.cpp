#include "tests/e2e/canary/dumps.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/e2e/box.h"
#include "tests/support/core_pattern.h"

namespace clinic::e2e {
namespace {

using support::core_pattern_file;
constexpr rlimit any_size{RLIM_INFINITY, RLIM_INFINITY};

std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

std::string pattern() {
    std::string text;
    std::ifstream in{core_pattern_file};
    std::getline(in, text);
    return text;
}

void set_pattern(const std::string& text) {
    std::ofstream{core_pattern_file} << text << std::flush;
}

} // namespace

Dumps::Dumps(std::filesystem::path folder) : folder_{std::move(folder)}, turn_{support::core_pattern_turn()} {
    std::filesystem::create_directory(folder_);
    chmod(folder_.c_str(), 0777); // any user's dump may be put there
    const std::string before = pattern();
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
    life_.reset(ends[1]);
    keeper_ = fork();
    if (keeper_ == 0) {
        setsid(); // what ends the test's group does not end it
        dup2(ends[0], STDIN_FILENO);
        dup2(turn_.get(), STDOUT_FILENO); // nobody else's turn before it is put back
        close_range(STDERR_FILENO, ~0U, 0);
        char nothing = 0;
        while (read(STDIN_FILENO, &nothing, 1) > 0) {
        }
        set_pattern(before);
        _exit(0);
    }
    close(ends[0]);
    by_file();
}

Dumps::~Dumps() {
    life_.reset();
    waitpid(keeper_, nullptr, 0);
}

void Dumps::set(const std::string& pattern) {
    pattern_ = pattern;
    set_pattern(pattern_);
    if (!is_in_effect()) throw std::runtime_error{"the kernel's core_pattern cannot be set"};
}

void Dumps::by_file() {
    set((folder_ / "%e-%p").string());
}

// The name is given when the dump is whole: the kernel does not wait for its handler.
void Dumps::by_handler() {
    const auto handler = folder_.string() + "-handler", begun = quoted(folder_.string()) + "/.\"$1\"";
    std::ofstream{handler} << "#!/bin/sh\ncat >" << begun << " && exec mv " << begun << " " << quoted(folder_.string())
                           << "/\"$1\"\n";
    chmod(handler.c_str(), 0755);
    set("|" + handler + " %e-%p");
}

bool Dumps::is_in_effect() const {
    return pattern() == pattern_;
}

bool Dumps::allow(pid_t process) {
    return prlimit(process, RLIMIT_CORE, &any_size, nullptr) == 0;
}

std::string Dumps::limit(pid_t process) {
    std::ifstream in{"/proc/" + std::to_string(process) + "/limits"};
    for (std::string line; std::getline(in, line);) {
        if (!line.starts_with("Max core file size")) continue;
        std::istringstream words{line.substr(std::string{"Max core file size"}.size())};
        std::string soft, hard;
        words >> soft >> hard;
        return hard;
    }
    return {};
}

std::filesystem::path Dumps::control(const std::string& text, uid_t user) const {
    const pid_t child = fork();
    if (child == 0) {
        const std::string kept = text;     // memory of its own
        setrlimit(RLIMIT_CORE, &any_size); // of no account to a handler
        if (setgroups(0, nullptr) != 0 || setgid(user) != 0 || setuid(user) != 0) _exit(1);
        prctl(PR_SET_DUMPABLE, 1); // a change of user took it away; an exec would give it back
        signal(SIGABRT, SIG_DFL);
        raise(SIGABRT);
        _exit(kept.empty() ? 1 : 2);
    }
    int status = 0;
    waitpid(child, &status, 0);
    std::filesystem::path dump;
    eventually([&] {
        for (const auto& one : all())
            if (one.string().ends_with("-" + std::to_string(child))) dump = one;
        return !dump.empty();
    });
    return dump;
}

std::vector<std::filesystem::path> Dumps::all() const {
    std::vector<std::filesystem::path> found;
    for (const auto& one : std::filesystem::directory_iterator{folder_})
        if (!one.path().filename().string().starts_with('.')) found.push_back(one.path());
    return found;
}

} // namespace clinic::e2e
