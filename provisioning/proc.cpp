#include "provisioning/proc.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <sstream>

#include "crypto/base/files.h"
#include "crypto/base/process.h"

namespace clinic::provisioning {
namespace {

constexpr std::size_t text_bytes_max = 64U << 20; // a socket table of many thousand connections

std::filesystem::path path_of(pid_t process, const std::string& name) {
    return std::filesystem::path{"/proc"} / std::to_string(process) / name;
}

// Real, effective, saved, file-system: the numbers behind the key of a status.
std::optional<std::vector<unsigned>> numbers(const std::string& status, const std::string& key) {
    std::istringstream lines{status};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(key + ":")) continue;
        std::istringstream fields{line.substr(key.size() + 1)};
        std::vector<unsigned> all;
        for (unsigned one = 0; fields >> one;) all.push_back(one);
        return all;
    }
    return std::nullopt;
}

std::optional<Identity> identity(const std::string& status) {
    const auto users = numbers(status, "Uid"), groups = numbers(status, "Gid"), others = numbers(status, "Groups");
    if (!users || !groups || !others || users->size() != 4 || groups->size() != 4) return std::nullopt;
    if ((*users)[3] != (*users)[1] || (*groups)[3] != (*groups)[1]) return std::nullopt;
    return Identity{{(*users)[0], (*users)[1], (*users)[2]}, {(*groups)[0], (*groups)[1], (*groups)[2]}, *others};
}

} // namespace

std::string proc_text(pid_t process, const std::string& name) {
    auto text = base::read_text(path_of(process, name), text_bytes_max);
    return text ? std::move(text).value() : std::string{}; // a process that has ended is an error to read
}

std::string proc_link(pid_t process, const std::string& name) {
    std::error_code failed;
    return std::filesystem::read_symlink(path_of(process, name), failed).string();
}

std::vector<std::string> proc_names(pid_t process, const std::string& folder) {
    std::vector<std::string> names;
    std::error_code failed;
    for (std::filesystem::directory_iterator one{path_of(process, folder), failed}, end; !failed && one != end;
         one.increment(failed))
        names.push_back(one->path().filename().string());
    return names;
}

bool every_thread(pid_t process, const std::function<bool(const std::string&)>& holds) {
    int seen = 0;
    for (const auto& name : proc_names(process, "task")) {
        const std::string thread = "task/" + name;
        if (holds(thread))
            ++seen;
        else if (!proc_text(process, thread + "/status").empty())
            return false; // and not one that has just ended
    }
    return seen > 0;
}

bool every_thread_has(pid_t process, const char* key, long wanted, int number_base) {
    return every_thread(process, [&](const std::string& thread) {
        return base::status_value(proc_text(process, thread + "/status"), key, number_base) == wanted;
    });
}

long one_id(pid_t process, const char* key) {
    const auto ids = numbers(proc_text(process, "status"), key);
    if (!ids || ids->size() != 4) return -1;
    return std::all_of(ids->begin(), ids->end(), [&](unsigned one) { return one == ids->front(); }) ? long{ids->front()}
                                                                                                    : -1;
}

// The kernel gives the files of a process that may not be dumped to root.
bool is_dumpable(pid_t process) {
    struct stat about {};
    if (stat(path_of(process, "environ").c_str(), &about) != 0) return true;
    std::istringstream lines{proc_text(process, "limits")};
    bool no_core = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields{line.starts_with("Max core file size") ? line.substr(18) : ""};
        std::string soft, hard;
        if (fields >> soft >> hard) no_core = soft == "0" && hard == "0";
    }
    return about.st_uid != 0 || !no_core;
}

std::set<Identity> identities_of(pid_t process) {
    std::set<Identity> all;
    const bool told = every_thread(process, [&](const std::string& thread) {
        const auto one = identity(proc_text(process, thread + "/status"));
        if (one) all.insert(*one);
        return one.has_value();
    });
    return told ? all : std::set<Identity>{};
}

std::vector<pid_t> processes_running(const std::string& program) {
    std::vector<pid_t> found;
    std::error_code failed;
    for (std::filesystem::directory_iterator one{"/proc", failed}, end; !failed && one != end; one.increment(failed)) {
        const std::string name = one->path().filename().string();
        pid_t process = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), process).ptr != name.data() + name.size()) continue;
        const auto runs = proc_link(process, "exe");
        if (runs == program || runs == program + " (deleted)") found.push_back(process);
    }
    return found;
}

} // namespace clinic::provisioning
