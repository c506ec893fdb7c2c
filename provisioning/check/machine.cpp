// The machine itself: memory, load, heat, and whether it helps itself up when it hangs.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "crypto/base/files.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

// "MemAvailable:   123 kB", "oom_kill 2": the number behind the key; -1: not there.
long long number_of(const std::string& text, const std::string& key) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string word;
        long long value = -1;
        if (words >> word && word == key && words >> value) return value;
    }
    return -1;
}

// The readings of all /sys/class/…/FILE.
std::vector<long long> readings(const std::filesystem::path& folder, const char* file) {
    std::vector<long long> all;
    std::error_code failed;
    for (std::filesystem::directory_iterator one{folder, failed}, end; !failed && one != end; one.increment(failed)) {
        const auto text = base::read_text(one->path() / file, 64);
        if (text) all.push_back(std::atoll(text->c_str()));
    }
    return all;
}

} // namespace

Finding memory_free(const Scene& scene) {
    const std::string text = scene.text("proc/meminfo");
    const long long all = number_of(text, "MemTotal:"), free = number_of(text, "MemAvailable:");
    if (all <= 0 || free < 0)
        return unknown("not told by the kernel", "/proc/meminfo has no MemAvailable", "look at: free -m");
    const long long percent = free * 100 / all;
    const std::string said = std::to_string(percent) + " % available, " + std::to_string(free / 1'000) + " of " +
                             std::to_string(all / 1'000) + " MB";
    constexpr Literal next =
        "see what takes it: ps -eo rss,comm --sort=-rss | head; nothing else should run on the box";
    if (percent < 4) return fail(said, "the machine is out of memory: programs are about to be ended", next);
    return percent < 10 ? warn(said, "memory is nearly used up", next) : ok(said);
}

Finding memory_killed(const Scene& scene) {
    const long long killed = number_of(scene.text("proc/vmstat"), "oom_kill");
    if (killed < 0) return unknown("not told by the kernel", "/proc/vmstat has no oom_kill", "look at: dmesg");
    if (killed == 0) return ok("none since the machine started");
    return warn(std::to_string(killed) + " since the machine started", "the kernel ended programs for want of memory",
                "see which: journalctl -k -g 'Out of memory'; give the box more memory, or less to do");
}

Finding machine_load(const Scene& scene) {
    std::istringstream words{scene.text("proc/loadavg")};
    double one = 0, five = -1;
    if (!(words >> one >> five))
        return unknown("not told by the kernel", "/proc/loadavg cannot be read", "look at: uptime");
    const auto processors = std::max(1U, std::thread::hardware_concurrency());
    std::array<char, 64> said{};
    std::snprintf(said.data(), said.size(), "%.1f over five minutes, %u processors", five, processors);
    if (five > 4.0 * processors)
        return warn(said.data(), "the machine has more to do than it can", "see what: top -b -n 1 | head -20");
    return ok(said.data());
}

Finding machine_temperature(const Scene& scene) {
    constexpr long long hot = 85, too_hot = 95;
    const auto all = readings(scene.under("sys/class/thermal"), "temp"); // thousandths of a degree
    if (all.empty()) return ok("this machine has no sensor");
    const long long degrees = *std::max_element(all.begin(), all.end()) / 1'000;
    const std::string said = std::to_string(degrees) + " degrees Celsius";
    constexpr Literal next = "give it air: clean the vents, not in a closed cupboard, not on a heater";
    if (degrees >= too_hot) return fail(said, "the machine is too hot and will switch itself off", next);
    return degrees >= hot ? warn(said, "the machine is hot and works slower for it", next) : ok(said);
}

// The hardware's, which starts a machine anew whose kernel hangs.
Finding machine_watchdog(const Scene& scene) {
    const std::string state = scene.text("sys/class/watchdog/watchdog0/state");
    if (state.empty()) return ok("this machine has none that it tells of");
    if (state.starts_with("active")) return ok("running");
    return warn("there, and not used", "nothing starts the machine anew when it hangs",
                "set RuntimeWatchdogSec=60 in /etc/systemd/system.conf, then: systemctl daemon-reexec");
}

Finding machine_restart(const Scene& scene) {
    std::error_code none;
    if (!std::filesystem::exists(scene.under("run/reboot-required"), none)) return ok("not due");
    return warn("due", "an update of the system takes effect only with a restart",
                "restart the machine when the clinic is closed: systemctl reboot");
}

} // namespace clinic::check
