#include "tests/support/scripted_manager.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-id128.h>

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace clinic::test_support {
namespace {

using Connection = std::unique_ptr<sd_bus, base::FreedBy<sd_bus_flush_close_unref>>;
constexpr int moment_ms = 20;

int reply(sd_bus_message* message, const std::string& name, const std::string& value) {
    if (name == "ExecMainStatus") return sd_bus_reply_method_return(message, "v", "i", std::atoi(value.c_str()));
    if (name == "NRestarts") return sd_bus_reply_method_return(message, "v", "u", std::atoi(value.c_str()));
    if (name == "PrivateNetwork" || name == "NoNewPrivileges")
        return sd_bus_reply_method_return(message, "v", "b", value == "yes" ? 1 : 0);
    if (name.ends_with("USec") || name == "CapabilityBoundingSet" || name == "LimitCORE")
        return sd_bus_reply_method_return(message, "v", "t", std::strtoull(value.c_str(), nullptr, 10));
    return sd_bus_reply_method_return(message, "v", "s", value.c_str());
}

} // namespace

ScriptedManager::ScriptedManager(const std::filesystem::path& socket, systemd::Services& services)
    : socket_{socket}, services_{services}, listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    const bool bound = bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    assert(bound && listen(listener_.get(), 8) == 0);
    thread_ = std::jthread{[this](const std::stop_token& stop) { accept(stop); }};
}

ScriptedManager::~ScriptedManager() = default;

void ScriptedManager::accept(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        pollfd ready{listener_.get(), POLLIN, 0};
        if (poll(&ready, 1, moment_ms) == 1) serve(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC), stop);
    }
}

void ScriptedManager::serve(int connection, const std::stop_token& stop) {
    sd_bus* raw = nullptr;
    sd_id128_t id{};
    sd_id128_randomize(&id);
    sd_bus_new(&raw);
    const Connection bus{raw};
    sd_bus_set_fd(raw, connection, connection); // which is the bus's from here on
    sd_bus_set_server(raw, 1, id);
    sd_bus_add_filter(raw, nullptr, &ScriptedManager::answer, this);
    if (sd_bus_start(raw) < 0) return;
    while (!stop.stop_requested()) {
        const int done = sd_bus_process(raw, nullptr);
        if (done < 0) return; // the caller has left
        if (done == 0) sd_bus_wait(raw, std::uint64_t{moment_ms} * 1'000);
    }
}

int ScriptedManager::answer(sd_bus_message* message, void* self, sd_bus_error*) {
    constexpr const char* manager = "org.freedesktop.systemd1.Manager";
    auto& mine = *static_cast<ScriptedManager*>(self);
    if (sd_bus_message_is_method_call(message, manager, "Subscribe") > 0)
        return sd_bus_reply_method_return(message, "");
    for (const char* restart : {"RestartUnit", "TryRestartUnit"})
        if (sd_bus_message_is_method_call(message, manager, restart) > 0) return mine.restart(message);
    return sd_bus_message_is_method_call(message, "org.freedesktop.DBus.Properties", "Get") > 0 ? mine.get(message) : 0;
}

int ScriptedManager::restart(sd_bus_message* message) {
    const char *unit = nullptr, *mode = nullptr;
    if (sd_bus_message_read(message, "ss", &unit, &mode) < 0) return 0;
    const auto found = services_.units.find(unit);
    if (found == services_.units.end())
        return sd_bus_reply_method_errorf(message, "org.freedesktop.systemd1.NoSuchUnit", "there is none");
    std::string job;
    {
        const std::scoped_lock lock{mutex_};
        restarted_.push_back(std::string{sd_bus_message_get_member(message)} + " " + unit);
        job = "/org/freedesktop/systemd1/job/" + std::to_string(restarted_.size());
    }
    const int done = sd_bus_reply_method_return(message, "o", job.c_str());
    if (done < 0 || !found->second.contains("JobResult")) return done;
    return sd_bus_emit_signal(sd_bus_message_get_bus(message), "/org/freedesktop/systemd1",
                              "org.freedesktop.systemd1.Manager", "JobRemoved", "uoss", std::uint32_t{1}, job.c_str(),
                              unit, found->second.at("JobResult").c_str());
}

std::vector<std::string> ScriptedManager::restarted() const {
    const std::scoped_lock lock{mutex_};
    return restarted_;
}

int ScriptedManager::get(sd_bus_message* message) {
    const char *interface = nullptr, *property = nullptr;
    if (sd_bus_message_read(message, "ss", &interface, &property) < 0) return 0;
    const std::string name = property;
    if (name == "NFailedUnits") return sd_bus_reply_method_return(message, "v", "u", services_.failed);
    char* raw = nullptr;
    sd_bus_path_decode(sd_bus_message_get_path(message), "/org/freedesktop/systemd1/unit", &raw);
    const std::unique_ptr<char, base::FreedBy<std::free>> unit{raw};
    const auto found = services_.units.find(unit ? unit.get() : "");
    if (found == services_.units.end() || !found->second.contains(name))
        return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_UNKNOWN_PROPERTY, "it has no such property");
    return reply(message, name, found->second.at(name));
}

} // namespace clinic::test_support
