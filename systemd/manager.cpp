#include "systemd/manager.h"

#include <systemd/sd-bus.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <set>

#include "crypto/base/owned.h"

namespace clinic::systemd {
namespace {

using Connection = std::unique_ptr<sd_bus, base::FreedBy<sd_bus_flush_close_unref>>;
using Text = std::unique_ptr<char, base::FreedBy<std::free>>;

constexpr const char* manager = "org.freedesktop.systemd1";
constexpr const char* manager_path = "/org/freedesktop/systemd1";
constexpr const char* manager_interface = "org.freedesktop.systemd1.Manager";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
constexpr const char* managers_own = "unix:path=/run/systemd/private"; // for root alone, with no bus between
constexpr std::uint64_t patience_us = 2'000'000;

struct Property {
    const char *interface, *name;
    char type; // as D-Bus writes it: s text, b flag, i, u and t numbers
};
constexpr std::array properties{
    Property{unit_interface, "LoadState", 's'},
    Property{unit_interface, "ActiveState", 's'},
    Property{unit_interface, "SubState", 's'},
    Property{unit_interface, "UnitFileState", 's'},
    Property{unit_interface, "StartLimitIntervalUSec", 't'},
    Property{service_interface, "Result", 's'},
    Property{service_interface, "ExecMainStatus", 'i'},
    Property{service_interface, "NRestarts", 'u'},
    Property{service_interface, "Restart", 's'},
    Property{service_interface, "WatchdogUSec", 't'},
    Property{service_interface, "PrivateNetwork", 'b'},
    Property{service_interface, "NoNewPrivileges", 'b'},
    Property{service_interface, "ProtectSystem", 's'},
    Property{service_interface, "CapabilityBoundingSet", 't'},
    Property{service_interface, "LimitCORE", 't'},
};

Error away(int failed) {
    return {Errc::offline, "the service manager does not answer on the bus", "", {}, -failed};
}

int speak_with(const char* address, Connection& into) {
    sd_bus* raw = nullptr;
    int done = sd_bus_new(&raw);
    into.reset(raw);
    if (done >= 0) done = sd_bus_set_address(raw, address);
    return done >= 0 ? sd_bus_start(raw) : done;
}

Result<Connection> connect(const BusAddress& where) {
    Connection bus;
    int done = -ENOENT;
    if (where.address.empty()) {
        sd_bus* raw = nullptr;
        done = sd_bus_open_system(&raw);
        bus.reset(raw);
    }
    if (done < 0) done = speak_with(where.address.empty() ? managers_own : where.address.c_str(), bus);
    if (done >= 0) done = sd_bus_set_method_call_timeout(bus.get(), patience_us);
    if (done < 0) return away(done);
    return bus;
}

template <class Number>
int number(sd_bus* bus, const char* path, const Property& one, std::string& into) {
    Number value = 0;
    const int done =
        sd_bus_get_property_trivial(bus, manager, path, one.interface, one.name, nullptr, one.type, &value);
    if (done >= 0) into = std::to_string(value);
    return done;
}

int get(sd_bus* bus, const char* path, const Property& one, std::string& into) {
    if (one.type == 'i') return number<std::int32_t>(bus, path, one, into);
    if (one.type == 'u') return number<std::uint32_t>(bus, path, one, into);
    if (one.type == 't') return number<std::uint64_t>(bus, path, one, into);
    if (one.type == 'b') {
        const int done = number<int>(bus, path, one, into);
        into = into == "0" ? "no" : "yes";
        return done;
    }
    char* raw = nullptr;
    const int done = sd_bus_get_property_string(bus, manager, path, one.interface, one.name, nullptr, &raw);
    const Text text{raw};
    if (done >= 0) into = text.get();
    return done;
}

Result<Unit> ask_unit(sd_bus* bus, const char* name) {
    char* raw = nullptr;
    if (const int done = sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &raw); done < 0) return away(done);
    const Text path{raw};
    Unit unit;
    for (const auto& one : properties) {
        std::string value;
        const int done = get(bus, path.get(), one, value);
        if (done >= 0)
            unit.emplace(one.name, std::move(value));
        else if (one.interface == unit_interface)
            return away(done); // every unit has these
    }
    return unit;
}

struct BusError : sd_bus_error {
    BusError() : sd_bus_error{nullptr, nullptr, 0} {}
    ~BusError() { sd_bus_error_free(this); }
    BusError(const BusError&) = delete;
    BusError& operator=(const BusError&) = delete;
};
using Message = std::unique_ptr<sd_bus_message, base::FreedBy<sd_bus_message_unref>>;

// Jobs that were begun and have not ended; what became of one that has.
struct Jobs {
    std::set<std::string> pending;
    std::map<std::string, std::string> ended; // by path: "done", "failed", …
    bool all_done = true;

    void settle() {
        for (auto job = pending.begin(); job != pending.end();) {
            const auto found = ended.find(*job);
            if (found == ended.end()) {
                ++job;
                continue;
            }
            all_done = all_done && found->second == "done";
            job = pending.erase(job);
        }
    }
};

int job_removed(sd_bus_message* message, void* about, sd_bus_error*) {
    std::uint32_t id = 0;
    const char *job = nullptr, *unit = nullptr, *result = nullptr;
    if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0)
        static_cast<Jobs*>(about)->ended.emplace(job, result);
    return 0;
}

Error not_begun(const BusError& said, int failed) {
    if (sd_bus_error_has_name(&said, SD_BUS_ERROR_ACCESS_DENIED) != 0 ||
        sd_bus_error_has_name(&said, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED) != 0)
        return {Errc::unauthorized, "only root may start units anew", "run it as root", {}, -failed};
    if (sd_bus_error_is_set(&said) != 0)
        return {
            Errc::refused, "the service manager does not start that unit", "systemctl status says why", {}, -failed};
    return away(failed);
}

Result<std::string> begin_restart(sd_bus* bus, const char* unit, bool only_running) {
    BusError error;
    sd_bus_message* raw = nullptr;
    const int done =
        sd_bus_call_method(bus, manager, manager_path, manager_interface,
                           only_running ? "TryRestartUnit" : "RestartUnit", &error, &raw, "ss", unit, "replace");
    const Message reply{raw};
    const char* job = nullptr;
    if (done < 0) return not_begun(error, done);
    if (const int read = sd_bus_message_read(reply.get(), "o", &job); read < 0) return away(read);
    return std::string{job};
}

Result<void> wait_for(sd_bus* bus, Jobs& jobs, std::chrono::seconds span) {
    const auto until = std::chrono::steady_clock::now() + span;
    for (jobs.settle(); !jobs.pending.empty(); jobs.settle()) {
        const int done = sd_bus_process(bus, nullptr);
        if (done < 0) return away(done);
        if (done > 0) continue;
        const auto left =
            std::chrono::ceil<std::chrono::microseconds>(until - std::chrono::steady_clock::now()).count();
        if (left <= 0)
            return Error{Errc::timeout, "a unit takes too long to start", "systemctl status says how far it is"};
        if (const int waited = sd_bus_wait(bus, static_cast<std::uint64_t>(left)); waited < 0) return away(waited);
    }
    if (jobs.all_done) return {};
    return Error{Errc::refused, "a unit did not start", "systemctl status says why"};
}

} // namespace

Result<void> restart_units(const BusAddress& where, std::span<const char* const> units, const Restart& how) {
    const auto bus = connect(where);
    CLINIC_TRY(bus);
    Jobs jobs;
    if (how.wait.count() > 0) {
        if (const int done = sd_bus_match_signal(bus->get(), nullptr, nullptr, manager_path, manager_interface,
                                                 "JobRemoved", job_removed, &jobs);
            done < 0)
            return away(done);
        const int done =
            sd_bus_call_method(bus->get(), manager, manager_path, manager_interface, "Subscribe", nullptr, nullptr, "");
        if (done < 0) return away(done);
    }
    Result<void> begun;
    for (const char* unit : units) {
        auto job = begin_restart(bus->get(), unit, how.only_running);
        if (job)
            jobs.pending.insert(std::move(job).value());
        else if (begun)
            begun = job.error(); // the others all the same
    }
    if (how.wait.count() > 0) {
        const auto ended = wait_for(bus->get(), jobs, how.wait);
        if (begun) begun = ended;
    }
    return begun;
}

Result<Services> ask_manager(const BusAddress& where, std::span<const char* const> units) {
    const auto bus = connect(where);
    CLINIC_TRY(bus);
    Services out;
    const int done = sd_bus_get_property_trivial(bus->get(), manager, manager_path, manager_interface, "NFailedUnits",
                                                 nullptr, 'u', &out.failed);
    if (done < 0) return away(done);
    for (const char* name : units) {
        auto unit = ask_unit(bus->get(), name);
        CLINIC_TRY(unit);
        out.units.emplace(name, std::move(unit).value());
    }
    return out;
}

} // namespace clinic::systemd
