#include "tests/daemon/containment/child.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace clinic::containment::tests {

namespace {

constexpr std::size_t answer_bytes_max = 65'536;

} // namespace

void outputs_to_nowhere() {
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nothing, fd);
    close(nothing);
}

Words in_child(const std::function<Words()>& body) {
    void* shared = mmap(nullptr, answer_bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return {"no memory"};
    auto* answer = static_cast<char*>(shared);
    const pid_t child = fork();
    if (child == 0) {
        outputs_to_nowhere();
        std::string said;
        for (const auto& word : body()) said += word + "\n";
        said += "end\n";
        std::memcpy(answer, said.data(), std::min(said.size(), answer_bytes_max - 1));
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    Words words;
    std::istringstream lines{std::string{answer}};
    munmap(shared, answer_bytes_max);
    for (std::string line; std::getline(lines, line);) words.insert(line);
    if (words.erase("end") == 0) return {"died"};
    return words;
}

Place::Place() {
    const auto give = [](const std::filesystem::path& path, mode_t mode) {
        if (chmod(path.c_str(), mode) != 0 || (geteuid() == 0 && chown(path.c_str(), box_user.uid, box_user.gid) != 0))
            std::abort();
    };
    chmod(folder_.path().c_str(), 0711);
    std::filesystem::create_directory(records());
    give(records(), 0700);
    for (const auto& file : {records() / "records.db", key()}) {
        std::ofstream{file} << "sealed";
        give(file, 0600);
    }
}

Options Place::options() const {
    Options options{
        .become = {}, .peer = peer_user, .records = records(), .credential = key(), .ports = {}, .doors = {}};
    if (geteuid() == 0) options.become = box_user;
    return options;
}

Words open_parts(const Options& options) {
    Words open;
    for (const auto& part : inspect(options))
        if (!part.holds) open.insert(part.name.c_str());
    return open;
}

} // namespace clinic::containment::tests
