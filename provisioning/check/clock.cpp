// The machine's own clock; whether clinicd trusts it is among the box's checks.
#include <array>
#include <cstdlib>

#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"
#include "provisioning/check/units.h"

namespace clinic::check {
namespace {

constexpr std::int64_t day_s = 86'400;

// Where the kernel may not be asked (under a unit that denies it): what clinic-syncd was answered.
std::optional<bool> heard_by_clinicd(const Scene& scene) {
    const auto said = scene.said();
    if (text_at(said, {"lanes", "program", "state"}) != "up") return std::nullopt;
    return flag_at(said, {"clock", "kernel_synchronised"});
}

} // namespace

Finding clock_date(const Scene& scene) {
    const std::string said = base::rfc3339(scene.site.now);
    if (scene.site.now < base::this_release)
        return fail(said, "the date is before this program was made: certificates and keys will not be accepted",
                    "set it: timedatectl set-time 'YYYY-MM-DD HH:MM'; then see why it was lost (battery, time server)");
    return ok(said);
}

Finding clock_kept(const Scene& scene) {
    const auto kept = scene.site.clock_kept ? scene.site.clock_kept : heard_by_clinicd(scene);
    if (!kept)
        return unknown("the kernel does not say", "the question is refused here (a container?)",
                       "run it on the machine");
    if (*kept) return ok("kept by a time server");
    return warn(
        "not kept", "no time server has set the clock since the start, or it is out of reach",
        "look at: timedatectl timesync-status; the clinic's network must let UDP 123 out, or have a server of its own");
}

Finding clock_service(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    for (const char* name : time_units) {
        const auto found = services->units.find(name);
        if (found != services->units.end() && state_of(found->second) == "active")
            return ok(std::string{name} + " runs");
    }
    return warn("none runs", "no program of this machine keeps its clock",
                "apt install systemd-timesyncd; timedatectl set-ntp true");
}

Finding clock_hardware(const Scene& scene) {
    const std::string text = scene.text("sys/class/rtc/rtc0/since_epoch");
    if (text.empty()) return ok("there is none: after a power cut the time comes from the network");
    const auto apart = std::abs(std::atoll(text.c_str()) - scene.site.now.micros / 1'000'000);
    if (apart > day_s)
        return warn(std::to_string(apart / day_s) + " days apart from the system's",
                    "the hardware clock is wrong, as with an empty battery: after a power cut the date will be too",
                    "once the date is right: hwclock --systohc; if it is lost again, replace the battery");
    return ok("agrees with the system's within a day");
}

} // namespace clinic::check
