// The machine's side of the network, up to where clinic-syncd goes on; and what of the machine is open to it.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

#include "crypto/base/files.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

using Names = std::vector<std::string>;

std::string joined(const Names& names) {
    std::string out;
    for (const auto& one : names) out += (out.empty() ? "" : ", ") + one;
    return out;
}

std::vector<std::filesystem::path> entries(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> all;
    std::error_code failed;
    for (std::filesystem::directory_iterator one{folder, failed}, end; !failed && one != end; one.increment(failed))
        all.push_back(one->path());
    std::sort(all.begin(), all.end());
    return all;
}

// Local addresses of version 4, of the kernel's table: "|-- 192.168.7.5" before "/32 host LOCAL".
std::set<std::string> local_addresses(const std::string& trie) {
    std::set<std::string> all;
    std::string last;
    std::istringstream lines{trie};
    for (std::string line; std::getline(lines, line);) {
        if (const auto at = line.find("|-- "); at != std::string::npos) last = line.substr(at + 4);
        if (line.find("/32 host LOCAL") != std::string::npos && !last.starts_with("127.")) all.insert(last);
    }
    return all;
}

// Global ones of version 6: scope 00 in the fourth column.
bool has_global_address(const std::string& list) {
    std::istringstream lines{list};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string address, number, length, scope;
        if (words >> address >> number >> length >> scope && scope == "00") return true;
    }
    return false;
}

// The interface of the default route of version 4 or 6; empty: none.
std::string default_route(const Scene& scene) {
    std::istringstream four{scene.text("proc/net/route")};
    for (std::string line; std::getline(four, line);) {
        std::istringstream words{line};
        std::string interface, destination, gateway, flags;
        words >> interface >> destination >> gateway >> flags;
        if (destination == "00000000" && (std::strtol(flags.c_str(), nullptr, 16) & 1) != 0) return interface;
    }
    std::istringstream six{scene.text("proc/net/ipv6_route")};
    for (std::string line; std::getline(six, line);) {
        std::istringstream words{line};
        Names all;
        for (std::string word; words >> word;) all.push_back(word);
        if (all.size() == 10 && all[0] == std::string(32, '0') && all[1] == "00" && all[9] != "lo") return all[9];
    }
    return {};
}

// Which of these a line sets; what it sets may hold a password and is never shown.
bool names_proxy(const std::string& text) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return std::tolower(c); });
        const auto first = line.find_first_not_of(" \t");
        if (first == std::string::npos || line[first] == '#' || line.compare(first, 2, "//") == 0) continue;
        for (const char* word : {"http_proxy=", "https_proxy=", "all_proxy=", "::proxy"})
            if (line.find(word) != std::string::npos) return true;
    }
    return false;
}

// Ports that listen on more than this machine itself: proc(5), net/tcp, state 0A.
std::set<long> open_ports(const std::string& table) {
    std::set<long> ports;
    std::istringstream lines{table};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string number, local, remote, state;
        words >> number >> local >> remote >> state;
        const auto colon = local.find(':');
        if (state != "0A" || colon == std::string::npos) continue;
        const std::string address = local.substr(0, colon);
        const bool here =
            address == "00000000000000000000000001000000" || (address.size() == 8 && address.ends_with("7F"));
        if (!here) ports.insert(std::strtol(local.c_str() + colon + 1, nullptr, 16));
    }
    return ports;
}

} // namespace

Finding net_link(const Scene& scene) {
    Names up, all;
    for (const auto& one : entries(scene.under("sys/class/net"))) {
        const std::string name = one.filename().string();
        if (name == "lo") continue;
        all.push_back(name);
        const auto carrier = base::read_text(one / "carrier", 16); // an error of a port that is switched off
        if (carrier && carrier->starts_with("1")) up.push_back(name);
    }
    if (!up.empty()) return ok(joined(up));
    return fail(all.empty() ? "no network card" : joined(all) + ": no carrier",
                "no network cable is in, or its other end is off",
                "see the lamps beside the cable's plug; try another cable and another port of the switch");
}

Finding net_address(const Scene& scene) {
    const auto all = local_addresses(scene.text("proc/net/fib_trie"));
    for (const auto& one : all)
        if (!one.starts_with("169.254.")) return ok(one);
    if (has_global_address(scene.text("proc/net/if_inet6"))) return ok("by IPv6");
    return fail(
        all.empty() ? "none" : *all.begin(), "the clinic's router gave the box no address (DHCP)",
        "see that the router runs and gives addresses; then: systemctl restart networking, or systemd-networkd");
}

Finding net_route(const Scene& scene) {
    const std::string interface = default_route(scene);
    if (!interface.empty()) return ok("by " + interface);
    return fail("no default route", "the box does not know the way out of the clinic's network",
                "the router gives it with the address (DHCP); with fixed addresses set the gateway");
}

Finding net_resolver(const Scene& scene) {
    std::istringstream lines{scene.text("etc/resolv.conf")};
    Names servers;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string word, server;
        if (words >> word >> server && word == "nameserver") servers.push_back(server);
    }
    if (!servers.empty()) return ok(joined(servers));
    return fail("none", "no name server is set, and the router gave none with the address (DHCP): no name can be found",
                "echo 'nameserver ADDRESS' >>/etc/resolv.conf, with the address of the clinic's name server");
}

Finding net_proxy(const Scene& scene) {
    std::vector<std::filesystem::path> places{scene.under("etc/environment"), scene.under("etc/apt/apt.conf")};
    for (const char* folder : {"etc/apt/apt.conf.d", "etc/profile.d", "etc/systemd/system.conf.d"})
        for (auto& one : entries(scene.under(folder))) places.push_back(std::move(one));
    Names named;
    for (const auto& one : places) {
        const auto text = base::read_text(one, file_bytes_max);
        if (text && names_proxy(*text)) named.push_back(one.filename().string());
    }
    if (named.empty()) return ok("none is set");
    return warn(joined(named), "this machine was told to go out by a proxy, which clinic-syncd does not use",
                "where the clinic lets nothing out but by its proxy, have it let the box out to GHL (443) and the "
                "broker (8883)");
}

Finding exposure_ports(const Scene& scene) {
    std::set<long> ours{22, 443, 2575, 2576};
    for (const auto port : ports_of(scene.contained())) ours.insert(port);
    auto open = open_ports(scene.text("proc/net/tcp"));
    open.merge(open_ports(scene.text("proc/net/tcp6")));
    Names others;
    for (const long port : open)
        if (!ours.contains(port)) others.push_back(std::to_string(port));
    if (others.empty()) return ok("only ours and ssh");
    return warn(joined(others), "other programs of this machine listen to the clinic's network",
                "see which: ss -ltnp; switch off what the box does not need");
}

Finding exposure_networks(const Scene& scene) {
    std::error_code none;
    if (std::filesystem::exists(scene.under("sys/fs/cgroup/cgroup.controllers"), none))
        return ok("enforced by the kernel");
    return warn(
        "not enforced", "the kernel has no unified control groups, so IPAddressAllow= of the sockets does nothing",
        "start the machine with systemd.unified_cgroup_hierarchy=1, Debian's default; or have a firewall do it");
}

} // namespace clinic::check
