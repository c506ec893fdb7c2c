#include "provisioning/outside.h"

#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "crypto/base/files.h"
#include "daemon/containment/descriptors/descriptors.h"
#include "provisioning/held.h"
#include "provisioning/peer_eyes.h"
#include "provisioning/proc.h"

namespace clinic::provisioning {
namespace {

constexpr std::size_t settings_bytes_max = 65'536;

Seen seen(const char* part, bool holds, const char* yes, const char* no) {
    return {part, holds, holds ? yes : no};
}

// What lies between two zero bytes, of a command line or an environment.
std::vector<std::string> words(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream in{text};
    for (std::string one; std::getline(in, one, '\0');) all.push_back(one);
    return all;
}

// A variable that it was started with; `otherwise` where it was not.
std::string started_with(pid_t process, std::string_view key, const std::string& otherwise) {
    for (const auto& one : words(proc_text(process, "environ")))
        if (one.starts_with(key)) return one.substr(key.size());
    return otherwise;
}

std::string declared_ports(const About& about) {
    std::string text;
    for (const auto port : about.ports) text += (text.empty() ? "; ports " : ", ") + std::to_string(port);
    return text;
}

// A connection may come or go while they are looked at: what is a fault stays one.
Seen descriptors(const About& about) {
    constexpr const char* part = "descriptors";
    constexpr int looks_max = 3;
    const containment::Declared declared{
        .ports = about.ports,
        .doors = about.doors,
        .records = about.records,
        .notify = started_with(about.pid, "NOTIFY_SOCKET=", ""),
        .bus = started_with(about.pid, "DBUS_SYSTEM_BUS_ADDRESS=unix:path=", "/run/dbus/system_bus_socket"),
        .process = about.pid};
    std::string fault;
    for (int look = 0; look < looks_max; ++look) {
        const auto open = Descriptors::of(about.pid);
        if (!open) return {part, std::nullopt, "not looked at: its sockets cannot be taken"};
        const auto found = containment::undeclared(open->all(), declared);
        if (!found) return {part, true, containment::output_of(open->all()).c_str() + declared_ports(about)};
        fault = found->c_str();
    }
    return {part, false, fault};
}

// As the settings may name a user: by number, or by name.
bool is_user(const nlohmann::json& said, const std::optional<uid_t>& user) {
    if (!said.is_string()) return said == (user ? nlohmann::json(*user) : nlohmann::json{});
    const passwd* known = getpwnam(said.get_ref<const std::string&>().c_str());
    return known != nullptr && user == known->pw_uid;
}

// What clinicd says of its paths and its sender, against the settings file that its command line names.
Seen settings(const About& about) {
    constexpr const char* part = "what it says of itself";
    const auto line = words(proc_text(about.pid, "cmdline"));
    const auto option = std::find(line.begin(), line.end(), "--config");
    if (option == line.end() || option + 1 == line.end())
        return {part, std::nullopt, "not looked at: its command line names no settings"};
    const auto folder = std::filesystem::path{"/proc"} / std::to_string(about.pid) / "cwd";
    const auto text = base::read_text(folder / *(option + 1), settings_bytes_max);
    const auto file = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json{};
    if (!file.is_object()) return {part, std::nullopt, "not looked at: its settings cannot be read"};
    const bool same = file.value("records", nlohmann::json{}) == about.records.string() &&
                      file.value("credential", nlohmann::json{}) == about.credential.string() &&
                      is_user(file.value("peer", nlohmann::json{}), about.peer);
    return seen(part, same, "is what its settings say", "is not what its settings say: restart it, then ask again");
}

bool apart(pid_t process, const std::vector<pid_t>& senders) {
    std::set<std::string> others{proc_link(getpid(), "ns/net"), proc_link(1, "ns/net")};
    for (const pid_t sender : senders) others.insert(proc_link(sender, "ns/net"));
    return every_thread(process, [&](const std::string& thread) {
        const auto own = proc_link(process, thread + "/ns/net");
        return !own.empty() && !others.contains(own);
    });
}

bool no_capabilities(pid_t process) {
    const std::array sets{"CapInh", "CapPrm", "CapEff", "CapAmb"};
    return std::all_of(sets.begin(), sets.end(),
                       [&](const char* set) { return every_thread_has(process, set, 0, 16); });
}

bool own_user(pid_t process, const std::optional<uid_t>& peer) {
    const long user = one_id(process, "Uid");
    const long group = one_id(process, "Gid");
    return user > 0 && group > 0 && peer && user != static_cast<long>(*peer);
}

// Whoever is connected at egress.sock; clinic-syncd of the same installation where nobody is at the moment.
std::vector<pid_t> senders_of(const About& about, const std::optional<Descriptors>& open) {
    const auto callers = open ? open->callers(about.doors, about.control) : std::set<pid_t>{};
    if (!callers.empty()) return {callers.begin(), callers.end()};
    const auto folder = std::filesystem::path{proc_link(about.pid, "exe")}.parent_path();
    return processes_running((folder / "clinic-syncd").string());
}

void add(std::string& list, const char* begin, const std::string& word) {
    list += (list.empty() ? begin : ", ") + word;
}

Seen by_one(const char* part, const Identity& sender, const About& about) {
    const auto tried = try_as(sender, about);
    if (!tried) return {part, std::nullopt, "not looked at: cannot become the sender to try"};
    std::string open, unknown;
    for (const auto& one : *tried) {
        if (one.outcome == Outcome::open) add(open, "can ", one.what);
        if (one.outcome == Outcome::not_looked_at)
            add(unknown, "not looked at: ", one.what + " (" + std::strerror(one.why) + ")");
    }
    if (!open.empty()) return {part, false, open};
    if (!unknown.empty()) return {part, std::nullopt, unknown};
    return {part, true, std::to_string(tried->size()) + " ways tried, all refused"};
}

Seen by_the_sender(const About& about, const std::vector<pid_t>& senders) {
    constexpr const char* part = "the sender's user";
    if (!about.peer) return {part, false, "clinicd was not told who the sender is"};
    if (senders.empty()) return {part, std::nullopt, "not looked at: clinic-syncd does not run"};
    std::set<Identity> identities;
    for (const pid_t sender : senders) {
        const auto of_one = identities_of(sender);
        if (of_one.empty()) return {part, std::nullopt, "not looked at: who clinic-syncd is cannot be told"};
        identities.insert(of_one.begin(), of_one.end());
    }
    Seen worst{part, true, ""};
    for (const auto& one : identities) {
        if (one.users != std::array{*about.peer, *about.peer, *about.peer})
            return {part, false, "clinic-syncd runs as another user than clinicd was told"};
        auto found = by_one(part, one, about);
        if (found.holds == false) return found;
        if (worst.holds == true) worst = std::move(found);
    }
    return worst;
}

std::vector<Seen> of_the_sender(const std::vector<pid_t>& senders) {
    const auto all = [&](const auto& holds) { return std::all_of(senders.begin(), senders.end(), holds); };
    if (senders.empty()) return {{"sender", std::nullopt, "clinic-syncd does not run"}};
    return {seen("sender: no new privileges", all([](pid_t one) { return every_thread_has(one, "NoNewPrivs", 1, 10); }),
                 "set", "not set"),
            seen("sender: no capabilities", all(no_capabilities), "none", "some are left"),
            seen("sender: no memory dumps", all([](pid_t one) { return !is_dumpable(one); }), "off", "on")};
}

// What another process and another user's view take; a unit may run root without them.
bool may_look() {
    return prctl(PR_CAPBSET_READ, CAP_SYS_PTRACE) == 1 && prctl(PR_CAPBSET_READ, CAP_SETUID) == 1 &&
           prctl(PR_CAPBSET_READ, CAP_SETGID) == 1;
}

} // namespace

std::vector<Seen> look_from_outside(const About& about) {
    if (geteuid() != 0) return {{"from outside", std::nullopt, "only root sees all of it: run it as root"}};
    if (!may_look()) return {{"from outside", std::nullopt, "root may not see all of it here: ask it by hand"}};
    const pid_t pid = about.pid;
    const auto open = Descriptors::of(pid);
    const auto senders = senders_of(about, open);
    std::vector<Seen> parts{
        seen("the process that answered", open && open->listens_at(about.control), "holds control.sock",
             "does not hold control.sock"),
        seen("network namespace", apart(pid, senders), "nobody else's", "shared with the machine or the sender"),
        seen("system call filter", every_thread_has(pid, "Seccomp", 2, 10), "on every thread", "not on every thread"),
        seen("no new privileges", every_thread_has(pid, "NoNewPrivs", 1, 10), "set", "not set"),
        seen("no capabilities", no_capabilities(pid), "none", "some are left"),
        seen("own user", own_user(pid, about.peer), "unprivileged, and not the sender's",
             "the same user as the sender, or root"),
        seen("no memory dumps", !is_dumpable(pid), "off", "on"),
        descriptors(about),
        settings(about),
        by_the_sender(about, senders),
    };
    for (auto& one : of_the_sender(senders)) parts.push_back(std::move(one));
    return parts;
}

} // namespace clinic::provisioning
