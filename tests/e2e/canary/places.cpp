#include "tests/e2e/canary/places.h"

#include <sys/stat.h>

#include <array>
#include <set>
#include <sstream>

#include "crypto/base/files.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;

// The users that packaging/try gives the two programs when it is started by root.
constexpr const char* users = "\\( -uid 61701 -o -uid 61702 \\)";

std::set<fs::path> files_of_the_users() {
    std::set<fs::path> found;
    std::istringstream lines{run(std::string{"find / /dev/shm /tmp /var/tmp /run -xdev -type f "} + users).out};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with('/') && !line.starts_with("/proc/")) found.insert(line);
    return found;
}

std::string read_all(const fs::path& path) {
    auto text = base::read_text(path, std::size_t{1} << 26);
    return text ? std::move(text).value() : std::string{}; // a process may end meanwhile
}

std::string names_in(const fs::path& folder) {
    std::string out;
    std::error_code failed;
    for (fs::directory_iterator one{folder, failed}, end; !failed && one != end; one.increment(failed)) {
        std::error_code no_link;
        out += one->path().filename().string() + " " + fs::read_symlink(one->path(), no_link).string() + "\n";
    }
    return out;
}

} // namespace

void Places::note(const std::string& place, const std::vector<support::Hit>& hits) {
    for (const auto& hit : hits)
        found_.push_back(place + ": " + hit.canary + " as " + hit.form + " at " + std::to_string(hit.at));
}

void Places::look(const std::string& place, const std::string& bytes) {
    bytes_ += bytes.size();
    note(place, search_.in(bytes));
}

void Places::look_at_files() {
    auto all = files_of_the_users();
    std::error_code failed;
    for (fs::recursive_directory_iterator one{box_.folder(), failed}, end; !failed && one != end;
         one.increment(failed)) {
        look("a file's name", one->path().string());
        if (fs::is_regular_file(one->symlink_status())) all.insert(one->path());
    }
    for (const auto& path : all) {
        std::error_code gone;
        bytes_ += fs::file_size(path, gone);
        ++files_;
        note(path.string(), search_.in_file(path));
    }
}

void Places::look_at_processes() {
    for (const auto& line : box_.processes()) {
        const fs::path folder = fs::path{"/proc"} / line.substr(0, line.find(' '));
        for (const char* name :
             {"cmdline", "environ", "comm", "status", "stat", "maps", "mountinfo", "limits", "net/unix"})
            look((folder / name).string(), read_all(folder / name));
        for (const char* name : {"fd", "task", "map_files"}) look((folder / name).string(), names_in(folder / name));
        for (const auto& thread : fs::directory_iterator{folder / "task"})
            look("a thread's name", read_all(thread.path() / "comm"));
        std::error_code failed;
        for (const char* name : {"cwd", "root", "exe"})
            look((folder / name).string(), fs::read_symlink(folder / name, failed).string());
    }
}

} // namespace clinic::e2e
