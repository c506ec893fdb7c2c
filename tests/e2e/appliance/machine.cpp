#include "tests/e2e/appliance/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "crypto/base/owned.h"

namespace clinic::e2e {
namespace {

constexpr const char* kept_root = "/var/tmp/clinic-edge-debian";
constexpr int boot_seconds_max = 240;

void expect_done(const Ran& ran, const std::string& what) {
    if (ran.exit != 0) throw std::runtime_error{what + ": " + ran.out};
}

pid_t child_of(pid_t parent) {
    std::ifstream children{"/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children"};
    pid_t child = -1;
    children >> child;
    return children ? child : -1;
}

} // namespace

std::filesystem::path built_package() {
    if (const char* built = std::getenv("CLINIC_PACKAGE")) return built;
    std::error_code absent;
    for (const auto& file :
         std::filesystem::directory_iterator{std::filesystem::path{CLINIC_BINARY_DIR} / "package", absent})
        if (file.path().filename().string().starts_with("clinic-edge_") && file.path().extension() == ".deb")
            return file.path();
    throw std::runtime_error{"there is no package yet: ctest -R '^deb$' builds it"};
}

Machine::Machine(const std::filesystem::path& deb) {
    expect_done(run(std::string{CLINIC_SOURCE_DIR} + "/tests/e2e/appliance/root " + kept_root + " " + deb.string()),
                "the Debian root");
    for (const char* part : {"root", "upper", "work"}) std::filesystem::create_directory(folder_ / part);
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0755});
    std::filesystem::permissions(folder_ / "upper", std::filesystem::perms{0755}); // it becomes "/"
    const std::string layers = std::string{"lowerdir="} + kept_root + ",upperdir=" + (folder_ / "upper").string() +
                               ",workdir=" + (folder_ / "work").string();
    if (mount("overlay", (folder_ / "root").c_str(), "overlay", 0, layers.c_str()) != 0)
        throw std::runtime_error{"the overlay cannot be mounted"};
    std::filesystem::copy_file(deb, path("/root/clinic-edge.deb"));
}

Machine::~Machine() {
    end();
    umount2((folder_ / "root").c_str(), MNT_DETACH);
}

pid_t Machine::process_outside(long inside) const {
    const auto space = std::filesystem::read_symlink("/proc/" + std::to_string(init_) + "/ns/pid");
    const std::string ending = "\t" + std::to_string(inside);
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        std::error_code gone;
        if (std::filesystem::read_symlink(entry.path() / "ns" / "pid", gone) != space) continue;
        std::ifstream status{entry.path() / "status"};
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("NSpid:") && line.ends_with(ending)) return std::stoi(entry.path().filename());
    }
    return -1;
}

void Machine::boot() {
    const std::string root = (folder_ / "root").string();
    // Its own network, with nothing in it but a loopback; its end takes all with it.
    const std::string name = "clinic" + std::to_string(getpid());
    std::string words[] = {"setpriv", "--pdeathsig", "KILL", "systemd-nspawn", "--quiet", "--directory=" + root,
                           "--register=no", "--keep-unit", "--boot", "--private-network", "--machine=" + name,
                           // which a machine of its own has, and systemd-nspawn does not list
                           "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
                           "--console=read-only"};
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, (folder_ / "console").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    const int failed = posix_spawnp(&starter_, "setpriv", &files, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) throw std::runtime_error{"systemd-nspawn cannot be started"};
    const bool up = eventually(
        [&] {
            init_ = child_of(starter_);
            return init_ > 0 && run("nsenter -t " + std::to_string(init_) + " -a systemctl is-system-running")
                                        .out.find_first_of("rd") == 0; // running, degraded: not starting, not an error
        },
        boot_seconds_max);
    if (!up)
        throw std::runtime_error{"systemd did not come up: " + run("tail -n 20 " + (folder_ / "console").string()).out};
    enter_network();
}

void Machine::enter_network() const {
    const base::UniqueFd network{open(("/proc/" + std::to_string(init_) + "/ns/net").c_str(), O_RDONLY | O_CLOEXEC)};
    if (!network || setns(network.get(), CLONE_NEWNET) != 0) throw std::runtime_error{"its network cannot be entered"};
}

void Machine::end() {
    if (starter_ < 0) return;
    if (init_ > 0) kill(init_, SIGKILL); // the container's first process: the kernel ends the rest
    kill(starter_, SIGKILL);
    waitpid(starter_, nullptr, 0);
    starter_ = init_ = -1;
}

void Machine::power_cut() {
    end();
}

void Machine::power_off() {
    in("systemctl poweroff");
    waitpid(starter_, nullptr, 0);
    starter_ = init_ = -1;
}

Ran Machine::in(const std::string& script) {
    std::ofstream{path("/root/step")} << script << "\n";
    return run("nsenter -t " + std::to_string(init_) + " -a env LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive " +
               environment + " sh -e /root/step");
}

Ran Machine::aside(const std::string& script) const {
    std::ofstream{path("/root/step")} << script << "\n";
    return run("chroot " + path("/").string() + " sh -e /root/step");
}

std::string Machine::ask(const std::string& script) {
    auto said = in(script);
    if (said.exit != 0) return "";
    while (!said.out.empty() && said.out.back() == '\n') said.out.pop_back();
    return said.out;
}

} // namespace clinic::e2e
