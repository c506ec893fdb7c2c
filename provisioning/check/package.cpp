// dpkg's own word: whether an installation or an update was broken off.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <vector>

#include "crypto/base/owned.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

struct Stanza {
    std::string package, status; // "install ok installed"
};

// All that it reads until its end, at most a bound.
std::string read_all(int from) {
    std::string out;
    std::array<char, 8'192> part{};
    for (ssize_t got = 0; out.size() < file_bytes_max && (got = read(from, part.data(), part.size())) > 0;)
        out.append(part.data(), static_cast<std::size_t>(got));
    return out;
}

// What a program says; empty: it is not there, or it failed.
std::string said_by(std::vector<std::string> command) {
    int ends[2]{};
    if (pipe2(ends, O_CLOEXEC) != 0) return {};
    const base::UniqueFd hear{ends[0]};
    base::UniqueFd speak{ends[1]};
    std::vector<char*> words;
    words.reserve(command.size() + 1);
    for (auto& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, speak.get(), STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child = -1;
    const int failed = posix_spawn(&child, words.front(), &files, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    speak.reset();
    if (failed != 0) return {};
    std::string said = read_all(hear.get());
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : std::string{};
}

// Its files are asked for by its own program: an update that was broken off lies beside the book as well.
std::vector<Stanza> book_of(const Scene& scene) {
    std::vector<Stanza> all;
    std::istringstream lines{said_by({"/usr/bin/dpkg-query", "--admindir=" + scene.under("var/lib/dpkg").string(), "-W",
                                      "-f", "${Package}\t${Status}\n"})};
    for (std::string line; std::getline(lines, line);)
        if (const auto tab = line.find('\t'); tab != std::string::npos)
            all.push_back({line.substr(0, tab), line.substr(tab + 1)});
    return all;
}

bool is_half(const std::string& status) {
    constexpr std::array words{"half-installed",   "half-configured",  "unpacked",
                               "triggers-awaited", "triggers-pending", "reinstreq"};
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return status.find(word) != std::string::npos; });
}

} // namespace

Finding package_state(const Scene& scene) {
    const auto book = book_of(scene);
    const auto own =
        std::find_if(book.begin(), book.end(), [](const auto& one) { return one.package == "clinic-edge"; });
    if (own == book.end() || own->status.find("config-files") != std::string::npos)
        return unknown("not installed as a package", "the programs were not put here by dpkg",
                       "apt-get install ./clinic-edge_VERSION.deb, if this is a clinic's box");
    if (own->status == "install ok installed" || own->status == "hold ok installed") return ok("installed");
    return fail(own->status, "an installation or an update of this package was broken off",
                "dpkg --configure -a; if that does not do: apt-get install --reinstall ./clinic-edge_VERSION.deb");
}

Finding package_others(const Scene& scene) {
    const auto book = book_of(scene);
    if (book.empty())
        return unknown("no book of dpkg", "dpkg-query does not answer: this is no Debian, or dpkg itself is broken",
                       "look at: dpkg --audit");
    std::string half;
    for (const auto& one : book)
        if (one.package != "clinic-edge" && is_half(one.status)) half += (half.empty() ? "" : ", ") + one.package;
    if (half.empty()) return ok("none is half done");
    return fail(half, "an update was broken off: apt refuses every other one until it is finished",
                "dpkg --configure -a");
}

} // namespace clinic::check
