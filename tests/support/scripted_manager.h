// A service manager for a test: it answers over real D-Bus, on a UNIX socket of its own, what the test wrote.
#pragma once

#include <systemd/sd-bus.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "systemd/manager.h"

namespace clinic::test_support {

class ScriptedManager {
public:
    // What a unit lacks the manager has no property for. A unit that is restarted ends its job with its "JobResult";
    // one that has none ends it never.
    ScriptedManager(const std::filesystem::path& socket, systemd::Services& services);
    ~ScriptedManager();

    std::vector<std::string> restarted() const; // "RestartUnit clinicd.service", in order

    std::string address() const { return "unix:path=" + socket_.string(); }

private:
    void accept(const std::stop_token& stop);
    void serve(int connection, const std::stop_token& stop);
    static int answer(sd_bus_message* message, void* self, sd_bus_error* error);
    int get(sd_bus_message* message);
    int restart(sd_bus_message* message);

    std::filesystem::path socket_;
    systemd::Services& services_;
    mutable std::mutex mutex_;
    std::vector<std::string> restarted_;
    base::UniqueFd listener_;
    std::jthread thread_;
};

} // namespace clinic::test_support
