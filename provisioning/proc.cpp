#include "provisioning/proc.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <sstream>

#include "crypto/base/files.h"
#include "crypto/base/process.h"

namespace clinic::provisioning {
namespace {

constexpr std::size_t text_bytes_max = 64U << 20; // a socket table of many thousand connections

std::filesystem::path path_of(pid_t process, const std::string& name) {
    return std::filesystem::path{"/proc"} / std::to_string(process) / name;
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
    std::istringstream lines{proc_text(process, "status")};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(std::string{key} + ":")) continue;
        std::istringstream fields{line.substr(std::strlen(key) + 1)};
        std::array<long, 4> ids{-1, -1, -1, -1};
        for (auto& id : ids) fields >> id;
        return ids[0] == ids[1] && ids[0] == ids[2] && ids[0] == ids[3] ? ids[0] : -1;
    }
    return -1;
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

std::vector<pid_t> processes_of(uid_t user) {
    std::vector<pid_t> found;
    std::error_code failed;
    for (std::filesystem::directory_iterator one{"/proc", failed}, end; !failed && one != end; one.increment(failed)) {
        const std::string name = one->path().filename().string();
        pid_t process = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), process).ptr != name.data() + name.size()) continue;
        std::istringstream status{proc_text(process, "status")};
        for (std::string line; std::getline(status, line);) {
            if (!line.starts_with("Uid:")) continue;
            std::istringstream ids{line.substr(4)};
            for (uid_t id = 0; ids >> id;)
                if (id == user) {
                    found.push_back(process);
                    break;
                }
            break;
        }
    }
    return found;
}

} // namespace clinic::provisioning
