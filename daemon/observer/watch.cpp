#include "daemon/observer/watch.h"

#include <array>
#include <chrono>
#include <string>

namespace clinic::observer {
namespace {

using namespace std::chrono_literals;

constexpr auto between_questions = 1s;
constexpr std::array units{"clinicd.service"};
constexpr int settings_refused = 2;                             // clinicd(8)
constexpr int manager_codes_from = 200, manager_codes_to = 243; // what the manager could not prepare for it

std::string of(const systemd::Unit& unit, const char* property) {
    const auto found = unit.find(property);
    return found == unit.end() ? std::string{} : found->second;
}

Trouble of_exit(const std::string& status) {
    const int code = status.empty() ? 0 : std::stoi(status);
    if (code == settings_refused) return Trouble::settings;
    return code >= manager_codes_from && code <= manager_codes_to ? Trouble::sealed_off : Trouble::fails;
}

} // namespace

std::string_view name(Trouble trouble) {
    constexpr std::array<std::string_view, 9> names{"starting",   "settings", "memory", "hung",   "crashed",
                                                    "sealed_off", "stopped",  "fails",  "unknown"};
    return names.at(static_cast<std::size_t>(trouble));
}

Seen judge(const systemd::Unit* unit) {
    if (unit == nullptr) return {};
    const std::string state = of(*unit, "ActiveState"), result = of(*unit, "Result");
    if (state == "active") return {.runs = true, .trouble = Trouble::hung};
    if (result == "exit-code") return {.trouble = of_exit(of(*unit, "ExecMainStatus"))};
    if (result == "oom-kill") return {.trouble = Trouble::memory};
    if (result == "watchdog") return {.trouble = Trouble::hung};
    if (result == "signal" || result == "core-dump") return {.trouble = Trouble::crashed};
    if (result != "success") return {.trouble = Trouble::fails};
    return {.trouble = state == "inactive" || state == "deactivating" ? Trouble::stopped : Trouble::starting};
}

Seen Watch::look() {
    const std::lock_guard lock{mutex_};
    const auto now = clock_.monotonic();
    if (asked_at_ && now - *asked_at_ < between_questions) return seen_;
    const auto said = systemd::ask_manager(where_, units);
    asked_at_ = clock_.monotonic();
    return seen_ = judge(said ? &said->units.at(units.front()) : nullptr);
}

} // namespace clinic::observer
