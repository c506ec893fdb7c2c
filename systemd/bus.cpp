#include "systemd/bus.h"

#include <systemd/sd-bus.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace clinic::systemd {
namespace {

constexpr const char* usual_address = "unix:path=/run/dbus/system_bus_socket";
constexpr std::uint64_t call_us_max = 25'000'000;

// One socket with a path: other kinds of an address start a program or lead to another machine.
bool is_path(std::string_view address) {
    return address.starts_with("unix:path=/") && address.find_first_of(";,") == std::string_view::npos;
}

Error failed(int code) {
    const bool nobody = code == -ENOENT || code == -ECONNREFUSED;
    return Error{nobody ? Errc::not_found : Errc::system,
                 "the system bus cannot be joined",
                 "see that dbus runs, then restart clinicd",
                 {},
                 -code};
}

} // namespace

void BusClosed::operator()(sd_bus* bus) const noexcept {
    sd_bus_close_unref(bus);
}

Result<Bus> Bus::open() {
    const char* said = std::getenv("DBUS_SYSTEM_BUS_ADDRESS");
    const char* address = said != nullptr ? said : usual_address;
    if (!is_path(address))
        return Error{Errc::unsupported, "the system bus has an address that is not a path", "set one: unix:path=FILE"};
    sd_bus* made = nullptr;
    if (const int code = sd_bus_new(&made); code < 0) return failed(code);
    Bus bus{made};
    for (const int code : {sd_bus_set_address(made, address), sd_bus_set_bus_client(made, 1),
                           sd_bus_negotiate_fds(made, 0), sd_bus_set_exit_on_disconnect(made, 0),
                           sd_bus_set_method_call_timeout(made, call_us_max), sd_bus_start(made)})
        if (code < 0) return failed(code);
    return bus;
}

int Bus::socket() const {
    return sd_bus_get_fd(bus_.get());
}

} // namespace clinic::systemd
