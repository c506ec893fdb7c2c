#include "systemd/manager.h"

#include <systemd/sd-bus.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::systemd {
namespace {

using Connection = std::unique_ptr<sd_bus, base::FreedBy<sd_bus_flush_close_unref>>;
using Text = std::unique_ptr<char, base::FreedBy<std::free>>;

constexpr const char* manager = "org.freedesktop.systemd1";
constexpr const char* unit_interface = "org.freedesktop.systemd1.Unit";
constexpr const char* service_interface = "org.freedesktop.systemd1.Service";
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

Result<Connection> connect(const Bus& where) {
    sd_bus* raw = nullptr;
    int done = 0;
    if (where.address.empty()) {
        done = sd_bus_open_system(&raw);
    } else if ((done = sd_bus_new(&raw)) >= 0) {
        done = sd_bus_set_address(raw, where.address.c_str());
        if (done >= 0) done = sd_bus_start(raw);
    }
    Connection bus{raw};
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

} // namespace

Result<Services> ask_manager(const Bus& where, std::span<const char* const> units) {
    const auto bus = connect(where);
    CLINIC_TRY(bus);
    Services out;
    const int done =
        sd_bus_get_property_trivial(bus->get(), manager, "/org/freedesktop/systemd1",
                                    "org.freedesktop.systemd1.Manager", "NFailedUnits", nullptr, 'u', &out.failed);
    if (done < 0) return away(done);
    for (const char* name : units) {
        auto unit = ask_unit(bus->get(), name);
        CLINIC_TRY(unit);
        out.units.emplace(name, std::move(unit).value());
    }
    return out;
}

} // namespace clinic::systemd
