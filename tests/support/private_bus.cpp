#include "tests/support/private_bus.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/fakes/eventually.h"

namespace clinic::test_support {
namespace {

constexpr const char* object = " org.clinicedge.Clinicd1 /org/clinicedge/Clinicd1 org.clinicedge.Clinicd1 ";
constexpr const char* authority = "org.freedesktop.PolicyKit1.Authority";

// Those of /usr/share/dbus-1/system.conf that decide who may do what.
constexpr const char* rules = R"(
  <type>system</type>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <policy user="polkitd"><allow own="org.freedesktop.PolicyKit1"/></policy>
  <policy user="root"><allow own="*"/><allow send_destination="*"/></policy>
)";

constexpr const char* clinicds = "<include>" CLINIC_SOURCE_DIR "/systemd/dbus/org.clinicedge.Clinicd1.conf</include>";

// The bus knows nobody but the users of its machine, so it has one where clinicd is that user.
void users_with(uid_t clinicd, const std::filesystem::path& file) {
    const auto number = std::to_string(clinicd);
    std::ofstream{file} << "clinicd:x:" << number << ":" << number << "::/:/usr/sbin/nologin\n"
                        << std::ifstream{"/etc/passwd"}.rdbuf();
}

void see_these_users(const std::filesystem::path& users) {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount(users.c_str(), "/etc/passwd", nullptr, MS_BIND, nullptr) != 0)
        _exit(126);
}

void run_a_bus(const std::filesystem::path& settings, const std::filesystem::path& users) {
    const std::string option = "--config-file=" + settings.string();
    see_these_users(users);
    execlp("dbus-daemon", "dbus-daemon", option.c_str(), "--nofork", "--nopidfile", nullptr);
    _exit(127);
}

std::string said_by(const std::string& command) {
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    std::string out;
    std::array<char, 4'096> part{};
    while (const std::size_t got = fread(part.data(), 1, part.size(), pipe)) out.append(part.data(), got);
    pclose(pipe);
    return out;
}

} // namespace

PrivateBus::PrivateBus(uid_t clinicd, bool policy) {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0711});
    const auto settings = folder_ / "bus.conf";
    std::ofstream{settings} << "<busconfig><listen>" << address() << "</listen>" << rules << (policy ? clinicds : "")
                            << "</busconfig>";
    users_with(clinicd, folder_ / "passwd");
    process_ = fork();
    if (process_ == 0) run_a_bus(settings, folder_ / "passwd");
    const bool up = fakes::eventually([this] { return ask("list").find("org.freedesktop.DBus") != std::string::npos; });
    assert(up);
}

PrivateBus::~PrivateBus() {
    end();
}

void PrivateBus::end() {
    if (process_ < 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = -1;
}

std::string PrivateBus::ask(const std::string& words, uid_t as) const {
    const std::string user = std::to_string(as);
    return said_by("setpriv --reuid=" + user + " --regid=" + user + " --clear-groups busctl --address=" + address() +
                   " " + words);
}

std::string PrivateBus::property(const std::string& name) const {
    return ask("--json=short get-property" + std::string{object} + name);
}

std::string PrivateBus::call(const std::string& method, uid_t as) const {
    return ask("--json=short call" + std::string{object} + method, as);
}

RealPolkit::RealPolkit(const PrivateBus& bus) {
    constexpr const char* actions = "/usr/share/polkit-1/actions";
    const auto with_ours = bus.folder() / "actions", users = bus.folder() / "passwd";
    std::filesystem::copy(actions, with_ours);
    std::filesystem::copy(CLINIC_SOURCE_DIR "/systemd/dbus/org.clinicedge.Clinicd1.policy", with_ours);
    process_ = fork();
    if (process_ == 0) {
        see_these_users(users);
        if (mount(with_ours.c_str(), actions, nullptr, MS_BIND, nullptr) != 0) _exit(126);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address().c_str(), 1);
        execl("/usr/lib/polkit-1/polkitd", "polkitd", "--no-debug", nullptr);
        _exit(127);
    }
    const bool up = fakes::eventually(
        [&] { return bus.ask("status org.freedesktop.PolicyKit1").find("PID=") != std::string::npos; });
    assert(up);
}

RealPolkit::~RealPolkit() {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
}

OnTheBus::OnTheBus(const PrivateBus& bus) {
    const auto address = bus.address();
    const bool joined = sd_bus_new(&bus_) >= 0 && sd_bus_set_address(bus_, address.c_str()) >= 0 &&
                        sd_bus_set_bus_client(bus_, 1) >= 0 && sd_bus_start(bus_) >= 0;
    assert(joined);
}

OnTheBus::~OnTheBus() {
    sd_bus_close_unref(bus_);
}

void OnTheBus::start() {
    thread_ = std::jthread{[this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const int more = sd_bus_process(bus_, nullptr);
            if (more < 0) return;
            turn();
            if (more == 0) sd_bus_wait(bus_, 20'000); // a change of the process's user cuts it short
        }
    }};
}

void OnTheBus::stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

namespace {

template <int (*Body)(sd_bus_message*, void*, void*)>
int handler(sd_bus_message* message, void* about, sd_bus_error* error) {
    return Body(message, about, error);
}

} // namespace

int Polkit::check(sd_bus_message* call, void* polkit, void*) {
    auto& self = *static_cast<Polkit*>(polkit);
    const char* action = nullptr;
    sd_bus_message_skip(call, "(sa{sv})");
    if (const int code = sd_bus_message_read(call, "s", &action); code < 0) return code;
    {
        const std::lock_guard lock{self.mutex_};
        self.asked_.emplace_back(action);
    }
    const Word word = self.word_;
    if (word == Word::nothing) return 1;
    return sd_bus_reply_method_return(call, "(bba{ss})", word == Word::yes ? 1 : 0, word == Word::who_are_you ? 1 : 0,
                                      0);
}

Polkit::Polkit(const PrivateBus& bus_of) : OnTheBus{bus_of} {
    static const sd_bus_vtable vtable[] = {SD_BUS_VTABLE_START(0),
                                           SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})",
                                                         handler<&Polkit::check>, SD_BUS_VTABLE_UNPRIVILEGED),
                                           SD_BUS_VTABLE_END};
    const bool there = sd_bus_add_object_vtable(bus(), nullptr, "/org/freedesktop/PolicyKit1/Authority", authority,
                                                vtable, this) >= 0 &&
                       sd_bus_request_name(bus(), "org.freedesktop.PolicyKit1", 0) >= 0 &&
                       sd_bus_request_name(bus(), "org.freedesktop.systemd1", 0) >= 0;
    assert(there);
    start();
}

std::vector<std::string> Polkit::asked() const {
    const std::lock_guard lock{mutex_};
    return asked_;
}

int Listener::hear(sd_bus_message* signal, void* listener, void*) {
    auto& self = *static_cast<Listener*>(listener);
    std::vector<std::string> names;
    const char* name = nullptr;
    sd_bus_message_skip(signal, "s");
    sd_bus_message_enter_container(signal, 'a', "{sv}");
    while (sd_bus_message_enter_container(signal, 'e', "sv") > 0) {
        sd_bus_message_read(signal, "s", &name);
        names.emplace_back(name);
        sd_bus_message_skip(signal, "v");
        sd_bus_message_exit_container(signal);
    }
    const std::lock_guard lock{self.mutex_};
    self.heard_.push_back(std::move(names));
    return 0;
}

Listener::Listener(const PrivateBus& bus_of) : OnTheBus{bus_of} {
    const bool there =
        sd_bus_match_signal(bus(), nullptr, nullptr, "/org/clinicedge/Clinicd1", "org.freedesktop.DBus.Properties",
                            "PropertiesChanged", handler<&Listener::hear>, this) >= 0;
    assert(there);
    start();
}

std::vector<std::vector<std::string>> Listener::heard() const {
    const std::lock_guard lock{mutex_};
    return heard_;
}

bool Listener::heard(const std::string& property) const {
    const auto all = heard();
    return std::any_of(all.begin(), all.end(), [&](const auto& names) {
        return std::find(names.begin(), names.end(), property) != names.end();
    });
}

} // namespace clinic::test_support
