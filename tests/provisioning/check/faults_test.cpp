// Each check sees its fault, and names it; on a box where all is well each is ok.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "crypto/base/days.h"
#include "provisioning/check/table.h"
#include "provisioning/check/units.h"
#include "tests/provisioning/check/world.h"

namespace clinic::check {
namespace {

using diagnose::Step;
using nlohmann::json;

struct Fault {
    const char* id;
    Outcome outcome;
    const char* cause; // words of it
    void (*seed)(World&);
};
void PrintTo(const Fault& fault, std::ostream* out) {
    *out << fault.id << ", " << fault.cause;
}

// A real file system over the records' folder; gone with the test's own mounts.
void mount_records(World& world, const char* options, unsigned long flags = 0) {
    ASSERT_EQ(mount("tmpfs", world.path("var/lib/clinic-edge/records").c_str(), "tmpfs", flags, options), 0);
}

void fill(const std::filesystem::path& file, std::size_t bytes) {
    std::ofstream{file} << std::string(bytes, 'x');
}

std::string mounted_as(const char* type, const char* options) {
    return std::string{"21 1 8:1 / / rw - "} + type + " /dev/sda1 " + options + "\n";
}

systemd::Unit& unit(World& world, const char* name) {
    return world.services.units.at(name);
}

// A way that is open as far as that step.
void ends_at(Step& at, Step how, diagnose::Way& way) {
    at = how;
    (&at == &way.dns ? way.tcp : way.tls) = Step::not_tried;
    way.tls = Step::not_tried;
}

void closed(diagnose::Way& way, const char* state, const char* code) {
    way.state = state;
    way.code = code;
}

const Fault faults[] = {
    {"memory.free", Outcome::fail, "out of memory",
     [](World& w) { w.put("proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 80000 kB\n"); }},
    {"memory.free", Outcome::warn, "nearly used up",
     [](World& w) { w.put("proc/meminfo", "MemTotal: 4000000 kB\nMemAvailable: 300000 kB\n"); }},
    {"memory.free", Outcome::unknown, "MemAvailable", [](World& w) { w.take_away("proc/meminfo"); }},
    {"memory.killed", Outcome::warn, "ended programs", [](World& w) { w.put("proc/vmstat", "oom_kill 2\n"); }},
    {"machine.load", Outcome::warn, "more to do", [](World& w) { w.put("proc/loadavg", "990 990 990 1/1 1\n"); }},
    {"machine.temperature", Outcome::warn, "is hot",
     [](World& w) { w.put("sys/class/thermal/thermal_zone1/temp", "88000\n"); }},
    {"machine.temperature", Outcome::fail, "too hot",
     [](World& w) { w.put("sys/class/thermal/thermal_zone1/temp", "99000\n"); }},
    {"machine.watchdog", Outcome::warn, "nothing starts the machine anew",
     [](World& w) { w.put("sys/class/watchdog/watchdog0/state", "inactive\n"); }},
    {"machine.restart", Outcome::warn, "only with a restart", [](World& w) { w.put("run/reboot-required", ""); }},

    {"clock.date", Outcome::fail, "before this program was made", [](World& w) { w.site.now = {1'000'000}; }},
    {"clock.hardware", Outcome::warn, "hardware clock is wrong",
     [](World& w) { w.put("sys/class/rtc/rtc0/since_epoch", "946684800\n"); }},
    {"clock.kept", Outcome::warn, "no time server", [](World& w) { w.site.clock_kept = false; }},
    {"clock.kept", Outcome::unknown, "refused",
     [](World& w) {
         w.site.clock_kept = std::nullopt;
         w.status.lanes_age_s = -1;
     }},
    {"clock.kept", Outcome::warn, "no time server",
     [](World& w) { // as clinic-syncd was answered
         w.site.clock_kept = std::nullopt;
         w.status.lanes.kernel_synchronised = false;
     }},
    {"clock.service", Outcome::warn, "no program",
     [](World& w) {
         for (const char* name : time_units) unit(w, name)["ActiveState"] = "inactive";
     }},
    {"clock.trusted", Outcome::fail, "went back",
     [](World& w) { w.status.clock_trusted = w.status.clock_floor_holds = false; }},
    {"clock.trusted", Outcome::fail, "jump",
     [](World& w) { w.status.clock_trusted = false, w.status.clock_step_s = 400'000; }},
    {"clock.trusted", Outcome::warn, "neither a time server", [](World& w) { w.status.clock_trusted = false; }},
    {"clock.offset", Outcome::warn, "two minutes apart", [](World& w) { w.status.lanes.https_offset_s = -600; }},

    {"setup.clinicd", Outcome::fail, "missing", [](World& w) { w.clinicd = nullptr; }},
    {"setup.clinicd", Outcome::fail, "not JSON",
     [](World& w) { w.put("etc/clinic-edge/clinicd.json", "{,}"), w.clinicd = nullptr; }},
    {"setup.clinicd", Outcome::fail, "not there", [](World& w) { w.clinicd.erase("zone"); }},
    {"setup.clinicd", Outcome::warn, "has not been set up",
     [](World& w) { w.clinicd["box"] = w.syncd["box"] = "new-box"; }},
    {"setup.syncd", Outcome::fail, "missing", [](World& w) { w.syncd = nullptr; }},
    {"setup.syncd", Outcome::fail, "not there", [](World& w) { w.syncd.erase("state"); }},
    {"setup.syncd", Outcome::warn, "which GHL account", [](World& w) { w.syncd.erase("ghl"); }},
    {"setup.syncd", Outcome::warn, "central operations", [](World& w) { w.syncd.erase("mqtt"); }},
    {"setup.agrees", Outcome::fail, "different things", [](World& w) { w.syncd["ghl"]["fields"]["stage"] = "c"; }},
    {"setup.agrees", Outcome::fail, "different things", [](World& w) { w.syncd["box"] = "clinic-8"; }},
    {"setup.records", Outcome::fail, "missing", [](World& w) { w.take_away("var/lib/clinic-edge/records"); }},
    {"setup.records", Outcome::fail, "others than clinicd",
     [](World& w) {
         std::filesystem::permissions(w.path("var/lib/clinic-edge/records"), std::filesystem::perms{0755});
     }},
    {"setup.users", Outcome::fail, "keeps them apart",
     [](World& w) { ASSERT_EQ(chown(w.path("var/lib/clinic-edge/sync").c_str(), 61'701, 61'701), 0); }},
    {"setup.users", Outcome::fail, "belongs to root",
     [](World& w) { ASSERT_EQ(chown(w.path("var/lib/clinic-edge/sync").c_str(), 0, 0), 0); }},
    {"package.state", Outcome::fail, "broken off",
     [](World& w) {
         w.put_packages({{"clinic-edge", "install ok half-configured"}});
     }},
    {"package.state", Outcome::unknown, "not put here",
     [](World& w) {
         w.put_packages({{"bash", "install ok installed"}});
     }},
    {"package.others", Outcome::fail, "apt refuses",
     [](World& w) {
         w.put_packages({{"clinic-edge", "install ok installed"}, {"tzdata", "install reinstreq half-installed"}});
     }},
    {"package.others", Outcome::unknown, "does not answer", [](World& w) { w.take_away("var/lib/dpkg"); }},

    {"disk.space", Outcome::fail, "full or nearly so",
     [](World& w) { mount_records(w, "size=40m"), fill(w.path("var/lib/clinic-edge/records/x"), 39'000'000); }},
    {"disk.space", Outcome::warn, "fills up",
     [](World& w) { mount_records(w, "size=500m"), fill(w.path("var/lib/clinic-edge/records/x"), 475'000'000); }},
    {"disk.files", Outcome::fail, "no place for new files",
     [](World& w) {
         mount_records(w, "size=500m,nr_inodes=2");
         std::ofstream{w.path("var/lib/clinic-edge/records/x")};
     }},
    {"disk.writable", Outcome::fail, "takes no writes", [](World& w) { mount_records(w, "size=500m", MS_RDONLY); }},
    {"disk.file_system", Outcome::fail, "network's file system",
     [](World& w) { w.put("proc/self/mountinfo", mounted_as("nfs4", "rw,vers=4.2")); }},
    {"disk.file_system", Outcome::warn, "in memory",
     [](World& w) { w.put("proc/self/mountinfo", mounted_as("overlay", "rw")); }},
    {"disk.file_system", Outcome::unknown, "mountinfo", [](World& w) { w.take_away("proc/self/mountinfo"); }},
    {"disk.journal", Outcome::fail, "old data in new files",
     [](World& w) { w.put("proc/self/mountinfo", mounted_as("ext4", "rw,data=writeback")); }},
    {"disk.journal", Outcome::fail, "gone after a power cut",
     [](World& w) { w.put("proc/self/mountinfo", mounted_as("ext4", "rw,nobarrier")); }},
    {"disk.errors", Outcome::fail, "found damage", [](World& w) { w.put("sys/fs/ext4/sda1/errors_count", "3\n"); }},
    {"disk.wear", Outcome::warn, "nearly worn out",
     [](World& w) { w.put("sys/block/mmcblk0/device/life_time", "0x01 0x0a\n"); }},
    {"disk.wear", Outcome::fail, "more writes than it is made for",
     [](World& w) { w.put("sys/block/mmcblk0/device/life_time", "0x0b 0x01\n"); }},

    {"keys.tpm", Outcome::warn, "TPM 2.0 only", [](World& w) { w.put("sys/class/tpm/tpm0/tpm_version_major", "1\n"); }},
    {"keys.tpm", Outcome::fail, "cannot be opened", [](World& w) { w.take_away("dev/tpmrm0"); }},
    {"keys.tpm", Outcome::warn, "who takes the disk",
     [](World& w) { w.put("etc/clinic-edge/keys/clinic-edge.store", "Whxqht+dQJax1aZeCGLxmiAAAAABAAAADAAA"); }},
    {"keys.tpm", Outcome::fail, "has none any more",
     [](World& w) {
         w.put("etc/clinic-edge/keys/clinic-edge.store", "k6iUCUh0RJCQyvL8k8q1UyAAAAABAAAADAAA");
         w.take_away("sys/class/tpm/tpm0/tpm_version_major");
         w.take_away("run/credstore.encrypted/clinic-edge.store");
     }},
    {"keys.there", Outcome::fail, "not on the box",
     [](World& w) { w.take_away("etc/clinic-edge/keys/clinic-edge.store"); }},
    {"keys.there", Outcome::fail, "not on the box",
     [](World& w) { w.syncd["ghl"]["token_file"] = w.path("nothing").string(); }},
    {"keys.open", Outcome::fail, "another machine's",
     [](World& w) { w.take_away("run/credstore.encrypted/clinic-edge.store"); }},
    {"keys.private", Outcome::fail, "read private keys",
     [](World& w) { std::filesystem::permissions(w.path("etc/clinic-edge/keys"), std::filesystem::perms{0755}); }},
    {"keys.private", Outcome::fail, "read private keys",
     [](World& w) { w.put("token", "pit-1"), w.syncd["ghl"]["token_file"] = w.path("token").string(); }},

    {"keys.recovery", Outcome::warn, "nothing opens the records", [](World& w) { w.put_store({}); }},
    {"keys.recovery", Outcome::warn, "nothing opens the records",
     [](World& w) { w.put_store({crypto::SlotKind::passphrase}); }},
    {"keys.recovery", Outcome::unknown, "damaged",
     [](World& w) { w.put("var/lib/clinic-edge/records/records.db", "nothing"); }},

    {"certificate.page", Outcome::fail, "browsers refuse",
     [](World& w) { w.clinicd["console"]["certificate"] = w.authority.issue("old", "", -1).cert.string(); }},
    {"certificate.page", Outcome::warn, "ends soon",
     [](World& w) { w.site.now = w.site.now + std::chrono::hours{24 * 350}; }},
    {"certificate.page", Outcome::fail, "missing or damaged",
     [](World& w) { w.clinicd["console"]["certificate"] = w.path("etc/resolv.conf").string(); }},
    {"certificate.page", Outcome::fail, "begins in the future",
     [](World& w) { w.site.now = w.site.now - std::chrono::hours{24 * 5}; }},
    {"certificate.mllp", Outcome::fail, "senders refuse",
     [](World& w) { w.clinicd["mllp"]["tls"]["certificate"] = w.authority.issue("old", "", -1).cert.string(); }},
    {"certificate.device", Outcome::fail, "do not admit",
     [](World& w) { w.syncd["mqtt"]["cert"] = w.authority.issue("old", "", -1).cert.string(); }},
    {"certificate.authorities", Outcome::fail, "authority has expired",
     [](World& w) { w.syncd["mqtt"]["ca"] = w.authority.issue("old", "", -1).cert.string(); }},
    {"certificate.system", Outcome::fail, "nobody outside",
     [](World& w) { w.take_away("etc/ssl/certs/ca-certificates.crt"); }},
    {"certificate.added", Outcome::warn, "authorities of his own",
     [](World& w) { w.put("usr/local/share/ca-certificates/firewall.crt", "x"); }},

    {"service.manager", Outcome::unknown, "no systemd here", [](World& w) { w.stop_manager(); }},
    {"service.clinicd", Outcome::fail, "somebody stopped it",
     [](World& w) { unit(w, "clinicd.service")["ActiveState"] = "inactive"; }},
    {"service.clinicd", Outcome::fail, "ends as soon as",
     [](World& w) { unit(w, "clinicd.service")["ActiveState"] = "activating"; }},
    {"service.clinicd", Outcome::fail, "does not know the unit",
     [](World& w) { unit(w, "clinicd.service")["LoadState"] = "not-found"; }},
    {"service.syncd", Outcome::fail, "its first key",
     [](World& w) { unit(w, "clinic-syncd.service")["ActiveState"] = "inactive"; }},
    {"service.sockets", Outcome::fail, "closed door",
     [](World& w) { unit(w, "clinic-edge-mllp.socket")["ActiveState"] = "failed"; }},
    {"service.credentials", Outcome::fail, "were not offered",
     [](World& w) { unit(w, "clinic-edge-credentials.service")["Result"] = "exit-code"; }},
    {"service.boot", Outcome::fail, "come up by itself",
     [](World& w) { unit(w, "clinic-edge.target")["UnitFileState"] = "disabled"; }},
    {"service.revival", Outcome::warn, "a drop-in", [](World& w) { unit(w, "clinicd.service")["WatchdogUSec"] = "0"; }},
    {"service.restarts", Outcome::warn, "again and again",
     [](World& w) { unit(w, "clinic-syncd.service")["NRestarts"] = "12"; }},
    {"service.hardening", Outcome::fail, "keeps the programs apart",
     [](World& w) { unit(w, "clinicd.service")["PrivateNetwork"] = "no"; }},
    {"service.hardening", Outcome::fail, "keeps the programs apart",
     [](World& w) { unit(w, "clinic-syncd.service")["NoNewPrivileges"] = "no"; }},
    {"service.others", Outcome::warn, "have failed", [](World& w) { w.services.failed = 2; }},

    {"net.link", Outcome::fail, "cable", [](World& w) { w.put("sys/class/net/eth0/carrier", "0\n"); }},
    {"net.address", Outcome::fail, "DHCP",
     [](World& w) { w.put("proc/net/fib_trie", "  |-- 169.254.3.4\n /32 host LOCAL\n"); }},
    {"net.route", Outcome::fail, "way out",
     [](World& w) { w.put("proc/net/route", "Iface\neth0 0007A8C0 00000000 0001\n"); }},
    {"net.resolver", Outcome::fail, "no name", [](World& w) { w.put("etc/resolv.conf", "# nothing\n"); }},
    {"net.proxy", Outcome::warn, "by a proxy",
     [](World& w) {
         w.put("etc/apt/apt.conf.d/90proxy", "Acquire::http::Proxy \"http://u:secret@10.0.0.1:3128\";\n");
     }},
    {"net.exposed", Outcome::warn, "listen to the clinic's network",
     [](World& w) { w.put("proc/net/tcp", "sl\n 0: 00000000:0277 00000000:0000 0A\n"); }},
    {"net.fenced", Outcome::warn, "no unified control groups",
     [](World& w) { w.take_away("sys/fs/cgroup/cgroup.controllers"); }},

    {"net.rules", Outcome::warn, "took the rules for the box's ports away",
     [](World& w) { unit(w, rules_unit.front())["ExecMainStatus"] = "1"; }},
    {"net.rules", Outcome::warn, "were not loaded",
     [](World& w) { unit(w, "clinic-edge-firewall.service")["ActiveState"] = "failed"; }},
    {"net.rules", Outcome::unknown, "does not answer",
     [](World& w) { unit(w, rules_unit.front())["ExecMainStatus"] = "2"; }},
    {"net.rules", Outcome::unknown, "only root", [](World& w) { w.services.units.erase(rules_unit.front()); }},

    {"clinicd.answers", Outcome::fail, "does not run", [](World& w) { w.stop_clinicd(); }},
    {"clinicd.answers", Outcome::fail, "does not answer", [](World& w) { w.hang(); }},
    {"clinicd.mode", Outcome::fail, "no key", [](World& w) { w.status.mode = health::Mode::locked; }},
    {"clinicd.mode", Outcome::fail, "no room", [](World& w) { w.status.mode = health::Mode::full; }},
    {"clinicd.mode", Outcome::fail, "cannot be used", [](World& w) { w.status.mode = health::Mode::damaged; }},
    {"clinicd.mode", Outcome::warn, "not sure", [](World& w) { w.status.mode = health::Mode::clock_untrusted; }},
    {"clinicd.mode", Outcome::warn, "put back", [](World& w) { w.status.mode = health::Mode::restoring; }},
    {"clinicd.mode", Outcome::warn, "asked for it", [](World& w) { w.status.mode = health::Mode::draining; }},
    {"clinicd.version", Outcome::warn, "not been taken into use", [](World& w) { w.status.version = "1.2.2"; }},
    {"clinicd.ports", Outcome::fail, "was not handed its ports", [](World& w) { w.ports = json::array({443}); }},
    {"clinicd.ports", Outcome::fail, "no port is open for them", [](World& w) { w.ports = {443, 2575}; }},
    {"containment.inside", Outcome::unknown, "another form", [](World& w) { w.containment = json::array({7}); }},
    {"store.readable", Outcome::fail, "cannot look", [](World& w) { w.status.store_readable = false; }},
    {"store.seals", Outcome::fail, "not as they were written",
     [](World& w) { w.status.store.authentication_failures = 1; }},
    {"store.checked", Outcome::fail, "damaged", [](World& w) { w.status.check.last_sound = false; }},
    {"store.checked", Outcome::warn, "does not get to its end",
     [](World& w) { w.status.check.last = w.site.now - std::chrono::hours{24 * 20}; }},
    {"store.checked", Outcome::warn, "all of the records", [](World& w) { w.status.check.last_skipped = 2; }},
    {"store.checked", Outcome::warn, "does not get to its end",
     [](World& w) { w.status.check = {.started = w.site.now - std::chrono::hours{24 * 20}}; }},
    {"store.people", Outcome::fail, "cannot be read", [](World& w) { w.status.check.keys_damaged = 1; }},
    {"store.people", Outcome::fail, "cannot be read", [](World& w) { w.status.check.last_keys_damaged = 2; }},
    {"store.keys", Outcome::warn, "run short", [](World& w) { w.status.store.free_key_slots = 3; }},
    {"store.keys", Outcome::fail, "no new patient", [](World& w) { w.status.store.free_key_slots = 0; }},
    {"store.wal", Outcome::warn, "not copied back", [](World& w) { w.status.store.wal_bytes = 900'000'000; }},
    {"store.books", Outcome::fail, "not all accounted for", [](World& w) { w.status.feeds[0].stored = 2; }},
    {"containment.inside", Outcome::fail, "does not hold", [](World& w) { w.containment[0]["holds"] = false; }},
    {"containment.outside", Outcome::fail, "does not hold", [](World& w) { w.outside[0]["holds"] = false; }},
    {"containment.outside", Outcome::unknown, "could not be looked at",
     [](World& w) { w.outside[0]["holds"] = nullptr; }},
    {"feeds.named", Outcome::warn, "no sender may come in",
     [](World& w) { w.status.senders.clear(), w.clinicd["mllp"]["allow"] = json::array(); }},
    {"feeds.silent", Outcome::warn, "longer than is expected", [](World& w) { w.status.senders[0].silent = true; }},
    {"intake.quarantine", Outcome::warn, "could not be accepted", [](World& w) { w.status.quarantine_items = 4; }},
    {"basis.valid", Outcome::fail, "has ended", [](World& w) { w.status.basis_expired = true; }},
    {"basis.valid", Outcome::warn, "no legal basis", [](World& w) { w.status.basis = "off"; }},
    {"basis.valid", Outcome::warn, "ends soon",
     [](World& w) { w.status.basis_expires = w.site.now + std::chrono::hours{24 * 9}; }},
    {"queue.dead", Outcome::warn, "refused changes twice",
     [](World& w) { w.status.crm.dead = w.status.crm.released = 2; }},
    {"queue.age", Outcome::warn, "though the way is open",
     [](World& w) { w.status.crm.pending = w.status.crm.released = 5, w.status.crm.oldest_pending_s = 7'200; }},

    {"syncd.answers", Outcome::fail, "does not run", [](World& w) { w.stop_syncd(); }},
    {"syncd.answers", Outcome::unknown, "where to listen", [](World& w) { w.syncd.erase("diagnose"); }},
    {"syncd.heard", Outcome::fail, "does not hear it", [](World& w) { w.status.lanes_age_s = 60; }},
    {"ghl.names", Outcome::fail, "no such name", [](World& w) { ends_at(w.said.ghl.dns, Step::no_name, w.said.ghl); }},
    {"ghl.names", Outcome::fail, "does not answer",
     [](World& w) { ends_at(w.said.ghl.dns, Step::timeout, w.said.ghl); }},
    {"ghl.names", Outcome::fail, "does not answer",
     [](World& w) { ends_at(w.said.ghl.dns, Step::no_server, w.said.ghl); }},
    {"ghl.reached", Outcome::fail, "is refused", [](World& w) { ends_at(w.said.ghl.tcp, Step::refused, w.said.ghl); }},
    {"ghl.reached", Outcome::fail, "drops what we send",
     [](World& w) { ends_at(w.said.ghl.tcp, Step::timeout, w.said.ghl); }},
    {"ghl.reached", Outcome::fail, "no route",
     [](World& w) { ends_at(w.said.ghl.tcp, Step::unreachable, w.said.ghl); }},
    {"ghl.tls", Outcome::fail, "a portal", [](World& w) { w.said.ghl.tls = Step::plain; }},
    {"ghl.tls", Outcome::fail, "cut while TLS begins", [](World& w) { w.said.ghl.tls = Step::cut; }},
    {"ghl.tls", Outcome::fail, "silent when TLS begins", [](World& w) { w.said.ghl.tls = Step::timeout; }},
    {"ghl.tls", Outcome::fail, "another host's", [](World& w) { w.said.ghl.tls = Step::other_name; }},
    {"ghl.issuer", Outcome::fail, "when a firewall opens TLS", [](World& w) { w.said.ghl.tls = Step::issuer; }},
    {"ghl.certificate", Outcome::fail, "has expired", [](World& w) { w.said.ghl.tls = Step::expired; }},
    {"ghl.certificate", Outcome::fail, "in the future", [](World& w) { w.said.ghl.tls = Step::not_yet; }},
    {"ghl.certificate", Outcome::warn, "ends soon", [](World& w) { w.said.ghl.days_left = 3; }},
    {"ghl.asked", Outcome::unknown, "not asked in time", [](World& w) { w.said.verdict = false; }},
    {"ghl.token", Outcome::fail, "cannot be read", [](World& w) { closed(w.said.ghl, "down", "no_token"); }},
    {"ghl.accepted", Outcome::fail, "taken back", [](World& w) { closed(w.said.ghl, "down", "unauthorized"); }},
    {"ghl.scope", Outcome::fail, "lacks a scope", [](World& w) { closed(w.said.ghl, "down", "scope"); }},
    {"ghl.scope", Outcome::fail, "denies this token", [](World& w) { closed(w.said.ghl, "down", "forbidden"); }},
    {"ghl.location", Outcome::fail, "does not know this location",
     [](World& w) { closed(w.said.ghl, "down", "http_404"); }},
    {"ghl.fields", Outcome::fail, "does not know the custom fields",
     [](World& w) { closed(w.said.ghl, "down", "unprepared"); }},
    {"ghl.fields", Outcome::fail, "missing in GHL",
     [](World& w) {
         closed(w.said.ghl, "down", "fields");
         w.status.lanes.location = {{envelope::Part::stage, envelope::Lack::missing}};
     }},
    {"ghl.fields", Outcome::warn, "not so in GHL",
     [](World& w) { w.status.lanes.location = {{envelope::Part::pipeline, envelope::Lack::missing}}; }},
    {"ghl.limits", Outcome::warn, "slows this account", [](World& w) { closed(w.said.ghl, "paused", "throttled"); }},
    {"ghl.limits", Outcome::warn, "used up", [](World& w) { closed(w.said.ghl, "paused", "rate_budget"); }},
    {"ghl.service", Outcome::fail, "fault of its own", [](World& w) { closed(w.said.ghl, "paused", "http_503"); }},
    {"ghl.service", Outcome::warn, "try again", [](World& w) { closed(w.said.ghl, "paused", "http_425"); }},
    {"ghl.service", Outcome::fail, "a page and no API", [](World& w) { closed(w.said.ghl, "paused", "not_json"); }},
    {"ghl.service", Outcome::fail, "answer in time", [](World& w) { closed(w.said.ghl, "paused", "timeout"); }},
    {"ghl.open", Outcome::warn, "not open yet", [](World& w) { closed(w.said.ghl, "paused", "hold"); }},
    {"mqtt.names", Outcome::fail, "no such name",
     [](World& w) { ends_at(w.said.mqtt.dns, Step::no_name, w.said.mqtt); }},
    {"mqtt.reached", Outcome::fail, "is refused",
     [](World& w) { ends_at(w.said.mqtt.tcp, Step::refused, w.said.mqtt); }},
    {"mqtt.tls", Outcome::fail, "a portal", [](World& w) { w.said.mqtt.tls = Step::plain; }},
    {"mqtt.issuer", Outcome::fail, "when a firewall opens TLS", [](World& w) { w.said.mqtt.tls = Step::issuer; }},
    {"mqtt.certificate", Outcome::fail, "has expired", [](World& w) { w.said.mqtt.tls = Step::expired; }},
    {"mqtt.accepted", Outcome::fail, "does not admit", [](World& w) { closed(w.said.mqtt, "down", "unauthorized"); }},
    {"mqtt.alone", Outcome::fail, "under this box's name", [](World& w) { closed(w.said.mqtt, "down", "taken_over"); }},
    {"mqtt.limits", Outcome::warn, "quota", [](World& w) { closed(w.said.mqtt, "paused", "quota"); }},
    {"mqtt.numbers", Outcome::fail, "keep its numbers", [](World& w) { closed(w.said.mqtt, "down", "state_file"); }},
    {"mqtt.service", Outcome::fail, "in time", [](World& w) { closed(w.said.mqtt, "paused", "timeout"); }},
    {"mqtt.service", Outcome::fail, "without a reason", [](World& w) { closed(w.said.mqtt, "paused", "offline"); }},
    {"mqtt.open", Outcome::warn, "not open yet", [](World& w) { closed(w.said.mqtt, "down", "starting"); }},
};

const Line& line_of(const std::vector<Line>& lines, const std::string& id) {
    return *std::find_if(lines.begin(), lines.end(), [&](const Line& one) { return one.check->id == id; });
}

struct Checks : testing::Test {
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "two users and mounts of one's own need root";
    }
};
struct FaultCase : Checks, testing::WithParamInterface<Fault> {
    void TearDown() override {
        if (world) umount2(world->path("var/lib/clinic-edge/records").c_str(), MNT_DETACH);
    }
    std::optional<World> world;
};

TEST_P(FaultCase, IsSeenAndNamed) {
    const Fault& fault = GetParam();
    world.emplace();
    fault.seed(*world);
    const auto lines = world->look();
    const Finding& found = line_of(lines, fault.id).found;
    EXPECT_EQ(name(found.outcome), std::string{name(fault.outcome)}) << found.said << "; " << found.cause.c_str();
    EXPECT_NE(std::string{found.cause.c_str()}.find(fault.cause), std::string::npos) << found.cause.c_str();
    EXPECT_NE(std::string{found.next.c_str()}, "") << "who is told what is the matter wants to know what to do";
    EXPECT_EQ(found.said.find("secret"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Each, FaultCase, testing::ValuesIn(faults), [](const auto& info) {
    std::string text = std::string{info.param.id} + "_" + std::to_string(info.index);
    for (char& letter : text)
        if (letter == '.') letter = '_';
    return text;
});

TEST_F(Checks, AllAreOkOnABoxWhereAllIsWell) {
    World world;
    const auto lines = world.look();
    EXPECT_EQ(lines.size(), table().size());
    for (const Line& line : lines)
        EXPECT_EQ(line.found.outcome, Outcome::ok)
            << line.check->id << ": " << line.found.said << "; " << line.found.cause.c_str();
    EXPECT_EQ(exit_of(verdict(lines)), 0);
}

TEST_F(Checks, WhatNoCheckOfTheStoreHasSeenIsNotCalledWell) {
    World world;
    const auto said = [&](const char* id) { return line_of(world.look(), id).found.said; };
    EXPECT_EQ(said("store.people"), "all open");
    world.status.check = {};
    EXPECT_EQ(said("store.checked"), "the first one is to come");
    EXPECT_EQ(said("store.people"), "the first check of them is to come");
    world.status.check.started = world.site.now;
    EXPECT_EQ(said("store.checked"), "the first one is under way");
    world.status.check = {.last = world.site.now, .last_sound = false};
    EXPECT_EQ(said("store.people"), "the first check of them is to come") << "they are its last part";
}

TEST_F(Checks, WithoutNftablesItsRulesAreNotMissed) {
    World world;
    world.take_away("usr/sbin/nft");
    unit(world, "clinic-edge-firewall.service")["ActiveState"] = "inactive";
    EXPECT_EQ(line_of(world.look(), "net.rules").found.outcome, Outcome::ok);
}

TEST_F(Checks, EachHasAFaultThatIsSeen) {
    std::set<std::string> seen, all;
    for (const Fault& fault : faults) seen.insert(fault.id);
    for (const Check& check : table()) all.insert(check.id);
    EXPECT_EQ(seen, all);
    EXPECT_GE(all.size(), 40U);
}

TEST_F(Checks, AnEndIsShownAsADay) {
    World world;
    const auto lines = world.look();
    const auto day = base::utc_day(world.site.now + std::chrono::hours{24 * 365});
    EXPECT_EQ(line_of(lines, "basis.valid").found.said.find("baa, ends on "), 0U);
    EXPECT_NE(line_of(lines, "certificate.page").found.said.find(": ends on " + day + " (in 36"), std::string::npos)
        << line_of(lines, "certificate.page").found.said;
    EXPECT_EQ(line_of(lines, "ghl.certificate").found.said, "ends in 60 days");
}

TEST_F(Checks, OneRootHidesWhatFollowsFromIt) {
    World world;
    world.stop_clinicd();
    const auto lines = world.look();
    for (const char* id : {"clinicd.mode", "store.readable", "queue.age", "feeds.silent"}) {
        EXPECT_EQ(line_of(lines, id).found.outcome, Outcome::suppressed) << id;
        EXPECT_STREQ(line_of(lines, id).root, "clinicd.answers") << id;
    }
    EXPECT_EQ(
        std::count_if(lines.begin(), lines.end(), [](const Line& one) { return one.found.outcome == Outcome::fail; }),
        1)
        << "one cause, one line";
    EXPECT_EQ(exit_of(verdict(lines)), 2);
}

TEST_F(Checks, WithoutSystemdTheBoxIsLookedAtAllTheSame) {
    World world;
    world.stop_manager();
    const auto lines = world.look();
    EXPECT_EQ(line_of(lines, "service.clinicd").found.outcome, Outcome::suppressed);
    EXPECT_EQ(line_of(lines, "clinicd.answers").found.outcome, Outcome::ok);
    EXPECT_EQ(line_of(lines, "queue.age").found.outcome, Outcome::ok);
    EXPECT_EQ(exit_of(verdict(lines)), 1) << "not known is not ok";
}

TEST_F(Checks, AStoppedProgramIsTheRootOfItsSilence) {
    World world;
    world.stop_clinicd();
    unit(world, "clinicd.service")["ActiveState"] = "inactive";
    const auto lines = world.look();
    EXPECT_STREQ(line_of(lines, "clinicd.answers").root, "service.clinicd");
    EXPECT_STREQ(line_of(lines, "queue.dead").root, "service.clinicd");
}

TEST_F(Checks, AnAnswerInSpiteOfTheRootIsOk) {
    World world;
    world.clinicd = nullptr; // somebody deleted the settings of a clinicd that runs
    const auto lines = world.look();
    EXPECT_EQ(line_of(lines, "setup.clinicd").found.outcome, Outcome::fail);
    EXPECT_EQ(line_of(lines, "clinicd.answers").found.outcome, Outcome::ok);
}

TEST_F(Checks, APulledCableIsOneLine) {
    World world;
    world.put("sys/class/net/eth0/carrier", "0\n");
    for (auto* way : {&world.said.ghl, &world.said.mqtt}) {
        ends_at(way->dns, Step::no_server, *way);
        closed(*way, "paused", "offline");
    }
    const auto lines = world.look();
    for (const char* id :
         {"net.address", "net.route", "ghl.names", "ghl.issuer", "ghl.open", "mqtt.reached", "mqtt.open"})
        EXPECT_STREQ(line_of(lines, id).root, "net.link") << id;
    EXPECT_EQ(line_of(lines, "syncd.answers").found.outcome, Outcome::ok);
    EXPECT_EQ(
        std::count_if(lines.begin(), lines.end(), [](const Line& one) { return one.found.outcome == Outcome::fail; }),
        1);
}

TEST_F(Checks, AWayThatIsOpenAllTheSameIsOk) {
    World world;
    world.put("proc/net/fib_trie", ""); // an address that the kernel lists in another way
    const auto lines = world.look();
    EXPECT_EQ(line_of(lines, "net.address").found.outcome, Outcome::fail);
    EXPECT_EQ(line_of(lines, "ghl.open").found.outcome, Outcome::ok);
    EXPECT_EQ(line_of(lines, "mqtt.open").found.outcome, Outcome::ok);
}

TEST_F(Checks, WhatStandsBetweenIsNamedByItsIssuer) {
    World world;
    world.said.ghl.tls = Step::issuer;
    world.said.ghl.issuer = "Acme, Firewall CA";
    closed(world.said.ghl, "down", "certificate");
    const auto lines = world.look();
    EXPECT_EQ(line_of(lines, "ghl.issuer").found.said, "Acme, Firewall CA");
    EXPECT_STREQ(line_of(lines, "ghl.accepted").root, "ghl.issuer");
    EXPECT_STREQ(line_of(lines, "queue.age").root, "ghl.issuer");
    EXPECT_EQ(line_of(lines, "mqtt.open").found.outcome, Outcome::ok) << "the other way is open";
}

TEST_F(Checks, WhatIsNotSetUpIsNoFaultOfTheWay) {
    World world;
    world.said.mqtt = {.state = "down", .code = "not_configured"};
    world.syncd.erase("mqtt");
    const auto lines = world.look();
    EXPECT_EQ(line_of(lines, "setup.syncd").found.outcome, Outcome::warn);
    for (const char* id : {"mqtt.names", "mqtt.accepted", "mqtt.open"})
        EXPECT_EQ(line_of(lines, id).found.outcome, Outcome::ok) << id;
}

} // namespace
} // namespace clinic::check
