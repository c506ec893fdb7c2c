#include "provisioning/time_service.h"

#include <systemd/sd-bus.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "crypto/base/owned.h"
#include "systemd/bus.h"

namespace clinic::provisioning {
namespace {

constexpr std::uint64_t wait_us_max = 5'000'000;

struct Where {
    const char *name, *path, *interface;
};
constexpr Where timedate{"org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1"};
constexpr Where timesync{"org.freedesktop.timesync1", "/org/freedesktop/timesync1",
                         "org.freedesktop.timesync1.Manager"};

int flag(sd_bus* bus, const char* name, bool& into) {
    int value = 0;
    const int code =
        sd_bus_get_property_trivial(bus, timedate.name, timedate.path, timedate.interface, name, nullptr, 'b', &value);
    into = value != 0;
    return code;
}

std::string server(sd_bus* bus) {
    char* made = nullptr;
    if (sd_bus_get_property_string(bus, timesync.name, timesync.path, timesync.interface, "ServerName", nullptr,
                                   &made) < 0)
        return "";
    const std::unique_ptr<char, base::FreedBy<std::free>> text{made};
    return text.get();
}

} // namespace

Result<TimeService> time_service() {
    const auto bus = systemd::Bus::open();
    CLINIC_TRY(bus);
    sd_bus_set_method_call_timeout(bus->get(), wait_us_max);
    TimeService service;
    if (const int code = flag(bus->get(), "NTP", service.wanted); code == -ETIMEDOUT)
        return Error{Errc::timeout, "what keeps this machine's time does not answer", "see: timedatectl status"};
    else if (code < 0)
        return Error{Errc::not_found,
                     "nobody on the system bus says what keeps this machine's time",
                     "see: timedatectl status",
                     {},
                     -code};
    if (const int code = flag(bus->get(), "NTPSynchronized", service.synchronised); code < 0)
        return Error{Errc::not_found,
                     "nobody on the system bus says whether this machine's time is kept",
                     "see: timedatectl status",
                     {},
                     -code};
    service.server = server(bus->get());
    return service;
}

} // namespace clinic::provisioning
