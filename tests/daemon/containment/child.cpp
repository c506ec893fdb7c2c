#include "tests/daemon/containment/child.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace clinic::containment::tests {

Words in_child(const std::function<Words()>& body) {
    int ends[2];
    if (pipe(ends) != 0) return {"no pipe"};
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        std::string said;
        for (const auto& word : body()) said += word + "\n";
        said += "end\n";
        [[maybe_unused]] const auto put = write(ends[1], said.data(), said.size());
        _exit(0);
    }
    close(ends[1]);
    std::string said;
    char part[4'096];
    for (ssize_t got; (got = read(ends[0], part, sizeof part)) > 0;) said.append(part, static_cast<std::size_t>(got));
    close(ends[0]);
    waitpid(child, nullptr, 0);
    Words words;
    std::istringstream lines{said};
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
    Options options{.become = {}, .peer = peer_user, .records = records(), .credential = key(), .ports = {}};
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
