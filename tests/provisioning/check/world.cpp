#include "tests/provisioning/check/world.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cassert>
#include <cstring>
#include <fstream>

#include "crypto/base/json.h"
#include "crypto/superblock.h"
#include "provisioning/check/table.h"
#include "provisioning/check/units.h"

namespace clinic::check {
namespace {

using nlohmann::json;

constexpr uid_t clinicd_user = 61'701, sync_user = 61'702;

base::UniqueFd listener_at(const std::filesystem::path& path) {
    base::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const bool bound = bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    assert(bound && listen(socket.get(), 8) == 0);
    return socket;
}

} // namespace

void World::put_store(const std::vector<crypto::SlotKind>& slots) const {
    crypto::Superblock superblock{.slots = {crypto::SlotEntry{}}, .version = crypto::superblock_version_slots};
    for (const auto kind : slots) {
        superblock.slots.push_back({.kind = kind, .number = 2});
        if (kind == crypto::SlotKind::passphrase) superblock.slots.back().cost = {.passes = 3, .memory_kib = 65'536};
    }
    const auto image = crypto::make_superblock(superblock, crypto::SecureBytes::random(32));
    const std::string one{reinterpret_cast<const char*>(image.data()), image.size()};
    put("var/lib/clinic-edge/records/records.db", one + one);
}

World::World() {
    machine();
    settings();
    well();
    units();
    serve();
}

void World::put(const std::string& below, const std::string& text) const {
    std::filesystem::create_directories(path(below).parent_path());
    std::ofstream{path(below)} << text;
}

void World::put_packages(const std::vector<std::pair<std::string, std::string>>& packages) const {
    std::string book;
    for (const auto& [package, status] : packages)
        book +=
            "Package: " + package + "\nStatus: " + status +
            "\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.test>\nDescription: of the test\n\n";
    put("var/lib/dpkg/status", book);
}

void World::take_away(const std::string& below) const {
    std::filesystem::remove_all(path(below));
}

void World::machine() {
    put("proc/meminfo", "MemTotal: 4000000 kB\nMemFree: 100000 kB\nMemAvailable: 3000000 kB\n");
    put("proc/vmstat", "pgfault 7\noom_kill 0\n");
    put("proc/loadavg", "0.10 0.20 0.30 1/100 4242\n");
    put("proc/self/mountinfo", "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n");
    put("proc/net/fib_trie", "Local:\n  |-- 192.168.7.5\n     /32 host LOCAL\n  |-- 127.0.0.1\n     /32 host LOCAL\n");
    put("proc/net/route", "Iface Destination Gateway Flags\neth0 00000000 0107A8C0 0003 0 0 100 00000000 0 0 0\n");
    put("proc/net/tcp", "  sl  local_address rem_address   st\n   0: 00000000:01BB 00000000:0000 0A\n");
    put("sys/class/net/lo/carrier", "1\n");
    put("sys/class/net/eth0/carrier", "1\n");
    put("sys/class/thermal/thermal_zone0/temp", "52000\n");
    put("sys/class/watchdog/watchdog0/state", "active\n");
    put("sys/class/rtc/rtc0/since_epoch", std::to_string(base::SystemClock{}.now().micros / 1'000'000) + "\n");
    put("sys/class/tpm/tpm0/tpm_version_major", "2\n");
    put("dev/tpmrm0", "");
    put("sys/block/mmcblk0/device/life_time", "0x02 0x01\n");
    put("sys/fs/ext4/sda1/errors_count", "0\n");
    put("sys/fs/cgroup/cgroup.controllers", "cpu io memory\n");
    std::filesystem::create_directories(path("sys/dev/block"));
    std::filesystem::create_directory_symlink("../../devices/pci/block/sda/sda1", path("sys/dev/block/8:1"));
    put("etc/resolv.conf", "# by DHCP\nnameserver 192.168.7.1\n");
    put("usr/sbin/nft", "");
    put("etc/environment", "LANG=C.UTF-8\n# http_proxy=none\n");
    put("etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\n");
    put_packages({{"bash", "install ok installed"}, {"clinic-edge", "install ok installed"}});
}

void World::settings() {
    const auto give = [&](const std::string& below, uid_t user) {
        std::filesystem::create_directories(path(below));
        std::filesystem::permissions(path(below), std::filesystem::perms::owner_all);
        if (geteuid() == 0) assert(chown(path(below).c_str(), user, user) == 0);
        return path(below).string();
    };
    const std::string records = give("var/lib/clinic-edge/records", clinicd_user);
    put_store({crypto::SlotKind::recovery});
    const std::string state = give("var/lib/clinic-edge/sync", sync_user);
    std::filesystem::create_directories(path("etc/clinic-edge/keys"));
    std::filesystem::permissions(path("etc/clinic-edge/keys"), std::filesystem::perms::owner_all);
    for (const char* key : {"clinic-edge.store", "clinic-edge.console", "clinic-edge.sync-state", "clinic-edge.device",
                            "clinic-edge.ghl-token", "clinic-edge.mllp"}) {
        put(std::string{"etc/clinic-edge/keys/"} + key, "sealed");
        put(std::string{"run/credstore.encrypted/"} + key, "sealed");
    }
    const auto certificate = [&](const char* name) { return authority.issue(name, "", 365).cert.string(); };
    const json fields{{"pid", "a"}, {"stage", "b"}};
    clinicd = {
        {"box", "clinic-7"},
        {"zone", "UTC"},
        {"records", records},
        {"credential", "/run/credentials/clinicd.service/clinic-edge.store"},
        {"operators", {"root"}},
        {"console",
         {{"certificate", certificate("page")}, {"key", "/run/credentials/clinicd.service/clinic-edge.console"}}},
        {"mllp",
         {{"allow", {"192.168.7.9"}},
          {"tls",
           {{"certificate", certificate("mllp")}, {"key", "/run/credentials/clinicd.service/clinic-edge.mllp"}}}}},
        {"ghl", {{"location", "loc1"}, {"fields", fields}}}};
    syncd = {{"box", "clinic-7"},
             {"egress", "/run/clinic-edge/egress.sock"},
             {"diagnose", path("ask.sock").string()},
             {"state", state},
             {"credential", "/run/credentials/clinic-syncd.service/clinic-edge.sync-state"},
             {"ghl",
              {{"location", "loc1"},
               {"fields", fields},
               {"token_file", "/run/credentials/clinic-syncd.service/clinic-edge.ghl-token"}}},
             {"mqtt",
              {{"ca", certificate("broker-authority")},
               {"cert", certificate("device")},
               {"key", "/run/credentials/clinic-syncd.service/clinic-edge.device"}}}};
}

void World::well() {
    site.root = folder.path();
    site.control = path("control.sock");
    site.sync = path("sync.sock");
    site.clinicd_settings = path("etc/clinic-edge/clinicd.json");
    site.syncd_settings = path("etc/clinic-edge/clinic-syncd.json");
    site.version = "1.2.3";
    site.now = base::SystemClock{}.now();
    site.clock_kept = true;
    site.outside = [this](const json&) { return json{{"outside", outside}}; };
    status.at = site.now;
    status.since = site.now;
    status.box = "clinic-7";
    status.version = site.version;
    status.ghl = {.tone = health::Tone::well, .key = "ghl.nothing_yet"};
    status.basis = "baa";
    status.basis_expires = site.now + std::chrono::hours{24 * 365};
    status.clock_trusted = status.clock_floor_holds = true;
    status.store_open = true;
    status.lanes_age_s = 0;
    status.lanes.crm = status.lanes.mqtt = envelope::LaneState::up;
    status.lanes.https_offset_s = 2;
    status.store.free_key_slots = 256;
    status.check.last = site.now - std::chrono::hours{24};
    status.check.last_sound = true;
    status.feeds = {{.feed = "mllp", .received = 3, .stored = 3, .last_message_s = 60}, {.feed = "csv"}};
    status.senders = {{.feed = "pms", .received = 3, .stored = 3, .last_message_s = 60, .expected_s = 3'600}};
    using diagnose::Step;
    said.ghl = said.mqtt = {.configured = true,
                            .host = "far.example",
                            .port = 443,
                            .dns = Step::ok,
                            .tcp = Step::ok,
                            .tls = Step::ok,
                            .issuer = "Public CA",
                            .days_left = 60,
                            .state = "up"};
    containment = json::array({{{"part", "network namespace"}, {"holds", true}, {"detail", "empty"}}});
    outside = json::array({{{"part", "own user"}, {"holds", true}, {"detail", "its own"}}});
}

void World::units() {
    for (const char* name : looked_at_units)
        services.units[name] = {{"LoadState", "loaded"},
                                {"ActiveState", "active"},
                                {"SubState", "running"},
                                {"UnitFileState", "enabled"},
                                {"StartLimitIntervalUSec", "0"}};
    for (const char* name : {"clinicd.service", "clinic-syncd.service", "clinic-edge-credentials.service"}) {
        const systemd::Unit more{
            {"Result", "success"},        {"NRestarts", "0"},        {"Restart", "always"},
            {"WatchdogUSec", "60000000"}, {"PrivateNetwork", "yes"}, {"NoNewPrivileges", "yes"},
            {"ProtectSystem", "strict"},  {"LimitCORE", "0"},        {"CapabilityBoundingSet", "0"}};
        services.units[name].insert(more.begin(), more.end());
    }
    services.units[rules_unit.front()] = {
        {"LoadState", "loaded"},         {"ActiveState", "active"}, {"SubState", "exited"}, {"UnitFileState", "static"},
        {"StartLimitIntervalUSec", "0"}, {"ExecMainStatus", "0"},   {"JobResult", "done"}};
    for (const char* name : {"chrony.service", "ntp.service"}) services.units[name]["ActiveState"] = "inactive";
    manager_ = std::make_unique<test_support::ScriptedManager>(path("manager.sock"), services);
    site.bus = manager_->address();
}

void World::serve() {
    ways_ = std::make_unique<ScriptedWays>(path("ask.sock"), said);
    const auto say = [](json data) { return control::Answer{0, std::make_shared<json>(std::move(data))}; };
    control::Commands commands;
    commands["status"] = {false, [this, say](const control::Question&) -> Result<control::Answer> {
                              return say(*base::parse_json(health::to_json(status), 65'536, 8));
                          }};
    commands["containment"] = {false, [this, say](const control::Question&) -> Result<control::Answer> {
                                   return say({{"parts", containment}, {"about", {{"ports", ports}}}});
                               }};
    server_ =
        std::make_unique<control::ControlServer>(listener_at(site.control), std::vector<uid_t>{geteuid()}, commands);
    assert(server_->start());
}

void World::hang() {
    server_.reset();
    std::filesystem::remove(site.control);
    silent_ = listener_at(site.control);
}

std::vector<Line> World::look() {
    if (!clinicd.is_null()) put("etc/clinic-edge/clinicd.json", clinicd.dump());
    if (!syncd.is_null()) put("etc/clinic-edge/clinic-syncd.json", syncd.dump());
    return run(table(), std::make_shared<const Scene>(site));
}

} // namespace clinic::check
