#include "tests/e2e/setup/hands.h"

#include <systemd/sd-bus.h>

#include <chrono>
#include <cstdlib>
#include <stdexcept>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

constexpr const char *manager = "org.freedesktop.systemd1", *path = "/org/freedesktop/systemd1",
                     *interface = "org.freedesktop.systemd1.Manager";

int subscribe(sd_bus_message* call, void*, sd_bus_error*) {
    return sd_bus_reply_method_return(call, "");
}

template <int (*Body)(sd_bus_message*, void*, void*)>
int method(sd_bus_message* call, void* about, sd_bus_error* error) {
    return Body(call, about, error);
}

} // namespace

Hands::Hands(const test_support::PrivateBus& bus_of, std::filesystem::path box)
    : OnTheBus{bus_of}, box_{std::move(box)} {
    static const sd_bus_vtable vtable[] = {SD_BUS_VTABLE_START(0),
                                           SD_BUS_METHOD("Subscribe", "", "", subscribe, 0),
                                           SD_BUS_METHOD("RestartUnit", "ss", "o", method<&Hands::restart>, 0),
                                           SD_BUS_METHOD("TryRestartUnit", "ss", "o", method<&Hands::restart>, 0),
                                           SD_BUS_SIGNAL("JobRemoved", "uoss", 0),
                                           SD_BUS_VTABLE_END};
    if (sd_bus_add_object_vtable(bus(), nullptr, path, interface, vtable, this) < 0 ||
        sd_bus_request_name(bus(), manager, 0) < 0)
        throw std::runtime_error{"nobody is in systemd's place"};
    start();
}

int Hands::restart(sd_bus_message* call, void* hands, void*) {
    auto& self = *static_cast<Hands*>(hands);
    const char *unit = nullptr, *mode = nullptr;
    if (const int code = sd_bus_message_read(call, "ss", &unit, &mode); code < 0) return code;
    const std::string job = std::string{path} + "/job/" + std::to_string(++self.jobs_);
    const std::string command = CLINIC_SOURCE_DIR "/tests/e2e/setup/hands/restart '" + self.box_.string() + "' " + unit;
    const bool fails = self.fails_;
    self.running_.push_back(
        {job, unit, std::async(std::launch::async, [=] { return !fails && run(command).exit == 0; })});
    return sd_bus_reply_method_return(call, "o", job.c_str());
}

void Hands::turn() {
    std::erase_if(running_, [this](Job& job) {
        if (job.done.wait_for(std::chrono::seconds{0}) != std::future_status::ready) return false;
        sd_bus_emit_signal(bus(), path, interface, "JobRemoved", "uoss", jobs_, job.path.c_str(), job.unit.c_str(),
                           job.done.get() ? "done" : "failed");
        return true;
    });
}

} // namespace clinic::e2e
