// What systemd says of the box's units.
#include "provisioning/check/units.h"

#include <cstdlib>

#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

constexpr const char* clinicd = "clinicd.service";
constexpr const char* syncd = "clinic-syncd.service";

std::string value(const systemd::Unit& unit, const char* key) {
    const auto found = unit.find(key);
    return found == unit.end() ? std::string{} : found->second;
}

void add(std::string& list, const std::string& word) {
    list += (list.empty() ? "" : ", ") + word;
}

Finding program(const Scene& scene, const char* name, Literal stopped, Literal start) {
    const auto services = scene.units();
    if (!services) return no_manager();
    const auto& unit = services->units.at(name);
    const std::string said = state_of(unit) + " (" + value(unit, "SubState") + ")";
    if (value(unit, "LoadState") != "loaded")
        return fail(value(unit, "LoadState"), "systemd does not know the unit, or it is masked",
                    "apt-get install --reinstall clinic-edge; systemctl unmask clinicd clinic-syncd");
    if (state_of(unit) == "active") return ok(said);
    if (state_of(unit) == "activating" || state_of(unit) == "failed")
        return fail(said, "it ends as soon as it is started, or never becomes ready",
                    "its last words say why: journalctl -u clinicd -u clinic-syncd -n 50");
    return fail(said, stopped, start);
}

} // namespace

std::string state_of(const systemd::Unit& unit) {
    return value(unit, "ActiveState");
}

Finding no_manager() {
    return unknown("systemd does not answer", "there is no systemd here, or no bus to reach it",
                   "look at: systemctl status dbus; apt-get install dbus");
}

Finding service_manager(const Scene& scene) {
    return scene.units() ? ok("systemd answers") : no_manager();
}

Finding service_clinicd(const Scene& scene) {
    return program(scene, clinicd, "somebody stopped it", "systemctl start clinic-edge.target");
}

Finding service_syncd(const Scene& scene) {
    return program(scene, syncd, "somebody stopped it, or it waits for its first key (clinic-edge.sync-state)",
                   "set the box up (docs/package.md), then: systemctl start clinic-syncd");
}

Finding service_sockets(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    std::string closed;
    for (const char* name : socket_units)
        if (state_of(services->units.at(name)) != "active") add(closed, name);
    if (closed.empty()) return ok("all four listen");
    return fail(closed, "nobody listens there: messages, the page or clinicctl find a closed door",
                "systemctl restart clinic-edge.target; another program may have the port: ss -ltnp");
}

Finding service_credentials(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    const std::string result = value(services->units.at("clinic-edge-credentials.service"), "Result");
    if (result == "success") return ok("has run");
    return fail(
        result, "the sealed keys were not offered to the programs",
        "journalctl -u clinic-edge-credentials; then: systemctl restart clinic-edge-credentials clinicd clinic-syncd");
}

Finding service_boot(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    const std::string state = value(services->units.at("clinic-edge.target"), "UnitFileState");
    if (state == "enabled") return ok("enabled");
    return fail(state, "after a power cut the box would not come up by itself", "systemctl enable clinic-edge.target");
}

Finding service_revival(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    std::string weak;
    for (const char* name : {clinicd, syncd}) {
        const auto& unit = services->units.at(name);
        if (value(unit, "Restart") != "always") add(weak, std::string{name} + ": Restart=" + value(unit, "Restart"));
        if (value(unit, "WatchdogUSec") == "0") add(weak, std::string{name} + ": no watchdog");
        if (value(unit, "StartLimitIntervalUSec") != "0") add(weak, std::string{name} + ": a start limit");
    }
    if (weak.empty()) return ok("always, with a watchdog and without a limit");
    return warn(weak, "a drop-in changes how a program that ends or hangs is started anew",
                "systemctl cat clinicd clinic-syncd; systemctl revert takes drop-ins away");
}

Finding service_restarts(const Scene& scene) {
    constexpr int many = 3;
    const auto services = scene.units();
    if (!services) return no_manager();
    std::string often;
    for (const char* name : {clinicd, syncd}) {
        const std::string times = value(services->units.at(name), "NRestarts");
        if (std::atoi(times.c_str()) > many) add(often, std::string{name} + " " + times + " times");
    }
    if (often.empty()) return ok("few or none");
    return warn(often, "a program ended by itself again and again since the machine started",
                "its last words say why: journalctl -u clinicd -u clinic-syncd -p warning");
}

Finding service_hardening(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    std::string weak;
    for (const char* name : {clinicd, syncd}) {
        const auto& unit = services->units.at(name);
        const auto expect = [&](const char* key, const char* wanted) {
            if (value(unit, key) != wanted) add(weak, std::string{name} + ": " + key + "=" + value(unit, key));
        };
        expect("NoNewPrivileges", "yes");
        expect("ProtectSystem", "strict");
        expect("CapabilityBoundingSet", "0");
        expect("LimitCORE", "0");
    }
    if (value(services->units.at(clinicd), "PrivateNetwork") != "yes") add(weak, "clinicd.service: PrivateNetwork=no");
    if (weak.empty()) return ok("as the package has it");
    return fail(
        weak, "a drop-in takes away what keeps the programs apart from the machine and from the network",
        "systemctl cat clinicd clinic-syncd; systemctl revert clinicd clinic-syncd; then restart clinic-edge.target");
}

Finding service_others(const Scene& scene) {
    const auto services = scene.units();
    if (!services) return no_manager();
    if (services->failed == 0) return ok("none has failed");
    return warn(std::to_string(services->failed) + " failed", "other units of this machine have failed",
                "see which, and why: systemctl --failed");
}

// Whether they are still loaded no unit knows: they are the kernel's, and whoever flushes them tells nobody.
Finding exposure_rules(const Scene& scene) {
    constexpr Literal load =
        "systemctl restart clinic-edge-firewall; why it does not: journalctl -u clinic-edge-firewall";
    std::error_code none;
    if (!std::filesystem::exists(scene.under("usr/sbin/nft"), none))
        return ok("nftables is not installed: the list of the sockets alone lets in");
    const auto services = scene.units();
    if (!services) return no_manager();
    const std::string loader = state_of(services->units.at("clinic-edge-firewall.service"));
    if (loader != "active") return warn(loader, "the rules for the box's ports were not loaded, or taken away", load);
    const auto looked = scene.rules_looked_at();
    const std::string status = looked ? value(*looked, "ExecMainStatus") : std::string{};
    if (status == "0") return ok("loaded");
    if (status == "1")
        return warn("not loaded",
                    "somebody took the rules for the box's ports away: a flush of all rules, or a start "
                    "anew of nftables.service",
                    "systemctl reload clinic-edge-firewall; that they stay: include \"/etc/clinic-edge/lan.nft\" in "
                    "/etc/nftables.conf");
    return unknown("not looked at", "only root may have the packet filter looked at, or it does not answer",
                   "run clinicctl check as root; then: journalctl -u clinic-edge-lan-rules");
}

} // namespace clinic::check
