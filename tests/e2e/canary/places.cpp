#include "tests/e2e/canary/places.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <iomanip>
#include <sstream>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;

// The users that packaging/try gives the two programs when it is started by root.
constexpr const char* users = "\\( -uid 61701 -o -uid 61702 \\)";

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

std::string from_base64(const std::string& text) {
    std::string out(text.size() / 4 * 3 + 3, '\0');
    const int length =
        EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return out;
}

} // namespace

timespec now() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

std::set<fs::path> Places::files_of_the_users() const {
    std::set<fs::path> found;
    std::ostringstream since;
    since << '@' << since_.tv_sec << '.' << std::setw(9) << std::setfill('0') << since_.tv_nsec;
    std::istringstream lines{
        run(std::string{"find / /dev/shm /tmp /var/tmp /run -xdev -type f "} + users + " -newerct " + since.str()).out};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with('/') && !line.starts_with("/proc/")) found.insert(line);
    return found;
}

void Places::note(const std::string& place, const std::vector<support::Hit>& hits) {
    for (const auto& hit : hits)
        found_.push_back(place + ": " + hit.canary + " as " + hit.form + " at " + std::to_string(hit.at));
}

void Places::look(const std::string& place, const std::string& bytes) {
    bytes_ += bytes.size();
    note(place, search_.in(bytes));
}

void Places::look_at_requests(const std::string& place, const std::string& lines) {
    look(place, lines);
    std::istringstream in{lines};
    std::string texts;
    for (std::string line; std::getline(in, line);) {
        const auto request = nlohmann::json::parse(line, nullptr, false);
        if (!request.is_object()) continue;
        const auto body = request.value("body", std::string{});
        texts += request.value("path", std::string{}) + "\n" +
                 (request.value("body_encoding", std::string{}) == "base64" ? from_base64(body) : body) + "\n";
        const auto headers = request.find("headers");
        if (headers == request.end() || !headers->is_object()) continue;
        for (const auto& [name, value] : headers->items())
            texts += name + ": " + (value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
    }
    look(place, texts);
}

void Places::look_at_files() {
    auto all = files_of_the_users();
    std::error_code failed;
    for (fs::recursive_directory_iterator one{box_.folder(), failed}, end; !failed && one != end;
         one.increment(failed)) {
        look("a file's name", one->path().string());
        if (fs::is_regular_file(one->symlink_status())) all.insert(one->path());
    }
    // The far side's own memory: people are in it whom nobody of ours put there. What we sent is in its record.
    all.erase(box_.folder() / "ghl-state.json");
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
        for (const char* name : {"fd", "map_files"}) {
            look((folder / name).string(), names_in(folder / name));
            look_at_nameless_files(folder / name);
        }
        std::error_code failed;
        for (fs::directory_iterator thread{folder / "task", failed}, end; !failed && thread != end;
             thread.increment(failed))
            look((folder / "task").string(), read_all(thread->path() / "comm"));
        for (const char* name : {"cwd", "root", "exe"})
            look((folder / name).string(), fs::read_symlink(folder / name, failed).string());
    }
}

// The links of /proc lead to the file itself, whatever became of its name.
void Places::look_at_nameless_files(const fs::path& links) {
    std::error_code failed;
    for (fs::directory_iterator one{links, failed}, end; !failed && one != end; one.increment(failed)) {
        std::error_code gone;
        const auto target = fs::read_symlink(one->path(), gone).string();
        if (!target.ends_with(" (deleted)")) continue;
        struct stat is {};
        if (stat(one->path().c_str(), &is) != 0 || !S_ISREG(is.st_mode)) continue;
        const base::UniqueFd file{open(one->path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        if (!file) continue;
        bytes_ += static_cast<std::uint64_t>(is.st_size);
        ++files_;
        note(links.string() + " " + target, search_.in_file(file.get()));
    }
}

} // namespace clinic::e2e
