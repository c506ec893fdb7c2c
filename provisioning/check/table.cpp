#include "provisioning/check/table.h"

#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

using Follows = std::array<const char*, 4>;

constexpr Follows alone{};
constexpr Follows manager{"service.manager"};
constexpr Follows clinicd{"clinicd.answers"};
constexpr Follows open_store{"clinicd.answers", "clinicd.mode"};
constexpr std::chrono::milliseconds briefly{2'000};
constexpr std::chrono::milliseconds asked = answer_max + std::chrono::seconds{1};
constexpr std::chrono::milliseconds asked_far = ways_max + std::chrono::seconds{1};

constexpr std::array checks{
    Check{"memory.free", "Memory", Group::machine, alone, memory_free},
    Check{"memory.killed", "Programs ended for want of memory", Group::machine, alone, memory_killed},
    Check{"machine.load", "Load", Group::machine, alone, machine_load},
    Check{"machine.temperature", "Temperature", Group::machine, alone, machine_temperature},
    Check{"machine.watchdog", "Hardware watchdog", Group::machine, alone, machine_watchdog},
    Check{"machine.restart", "Restart after an update", Group::machine, alone, machine_restart},
    Check{"clock.date", "Date", Group::clock, alone, clock_date},
    Check{"clock.hardware", "Hardware clock", Group::clock, {"clock.date"}, clock_hardware},
    Check{"clock.kept", "Kept by a time server", Group::clock, alone, clock_kept},
    Check{"setup.clinicd", "Settings of clinicd", Group::setup, alone, setup_clinicd},
    Check{"setup.syncd", "Settings of clinic-syncd", Group::setup, alone, setup_syncd},
    Check{"setup.agrees", "Both were told the same", Group::setup, {"setup.clinicd", "setup.syncd"}, setup_agrees},
    Check{"setup.records", "Folder of the records", Group::setup, {"setup.clinicd"}, setup_records},
    Check{"setup.users", "Two programs, two users", Group::setup, {"setup.records", "setup.syncd"}, setup_users},
    Check{"package.state", "Package", Group::setup, alone, package_state},
    Check{"package.others", "Other packages", Group::setup, alone, package_others},
    Check{"disk.space", "Room", Group::disk, alone, disk_space},
    Check{"disk.files", "Places for files", Group::disk, alone, disk_files},
    Check{"disk.writable", "Takes writes", Group::disk, alone, disk_writable},
    Check{"disk.file_system", "File system", Group::disk, alone, disk_file_system},
    Check{"disk.journal", "Safe against a power cut", Group::disk, {"disk.file_system"}, disk_journal},
    Check{"disk.errors", "Damage that the kernel found", Group::disk, {"disk.file_system"}, disk_errors},
    Check{"disk.wear", "Wear", Group::disk, alone, disk_wear},
    Check{"keys.tpm", "TPM", Group::keys, alone, keys_tpm},
    Check{"keys.there", "Private keys", Group::keys, {"setup.clinicd"}, keys_there},
    Check{
        "keys.open", "They open on this machine", Group::keys, {"setup.clinicd", "keys.there", "keys.tpm"}, keys_open},
    Check{"keys.private", "Closed to others", Group::keys, {"setup.clinicd"}, keys_private},
    Check{"keys.recovery", "A way in without this machine", Group::keys, {"setup.records"}, keys_recovery},
    Check{"certificate.page", "The page's", Group::certificates, {"setup.clinicd", "clock.date"}, certificate_page},
    Check{"certificate.mllp",
          "For messages by TLS",
          Group::certificates,
          {"setup.clinicd", "clock.date"},
          certificate_mllp},
    Check{"certificate.device",
          "The box's, for central operations",
          Group::certificates,
          {"setup.syncd", "clock.date"},
          certificate_device},
    Check{"certificate.authorities",
          "Authorities that the settings name",
          Group::certificates,
          {"setup.syncd", "clock.date"},
          certificate_authorities},
    Check{"certificate.system", "The system's authorities", Group::certificates, {"setup.syncd"}, certificate_system},
    Check{"certificate.added", "Authorities that somebody added", Group::certificates, alone, certificate_added},
    Check{"service.manager", "systemd", Group::services, alone, service_manager, asked},
    Check{"clock.service", "Program that keeps the clock", Group::clock, manager, clock_service},
    Check{"service.clinicd", "clinicd", Group::services, manager, service_clinicd},
    Check{"service.syncd", "clinic-syncd", Group::services, manager, service_syncd},
    Check{"service.sockets", "Sockets", Group::services, manager, service_sockets},
    Check{"service.credentials", "Keys are offered", Group::services, manager, service_credentials},
    Check{"service.boot", "Comes up with the machine", Group::services, manager, service_boot},
    Check{"service.revival", "Started anew when it ends or hangs", Group::services, manager, service_revival},
    Check{"service.restarts", "Ended by itself", Group::services, manager, service_restarts},
    Check{"service.hardening", "What systemd denies them", Group::services, manager, service_hardening},
    Check{"service.others", "Other units of the machine", Group::services, manager, service_others},
    Check{"net.link", "Cable", Group::network, alone, net_link},
    Check{"net.address", "Address", Group::network, {"net.link"}, net_address},
    Check{"net.route", "Way out", Group::network, {"net.address"}, net_route},
    Check{"net.resolver", "Name server", Group::network, {"net.address"}, net_resolver},
    Check{"net.proxy", "Proxy", Group::network, alone, net_proxy},
    Check{"clinicd.answers",
          "clinicd answers",
          Group::box,
          {"service.clinicd", "setup.clinicd"},
          clinicd_answers,
          asked,
          true},
    Check{"clinicd.mode", "Mode", Group::box, clinicd, clinicd_mode},
    Check{"clinicd.version", "Version", Group::box, clinicd, clinicd_version},
    Check{"clinicd.ports", "Ports", Group::box, clinicd, clinicd_ports, asked},
    Check{"net.exposed", "Other open ports", Group::network, alone, exposure_ports, asked},
    Check{"net.fenced", "Networks that may come in", Group::network, alone, exposure_networks},
    Check{"net.rules", "Rules of the packet filter", Group::network, manager, exposure_rules, asked},
    Check{"clock.trusted", "clinicd trusts it", Group::clock, {"clinicd.answers", "clock.date"}, clock_trusted},
    Check{"clock.offset", "Against GHL's", Group::clock, {"clinicd.answers", "clock.trusted"}, clock_offset},
    Check{"store.readable", "Store", Group::box, open_store, store_readable},
    Check{"store.seals", "Seals of its pages", Group::box, open_store, store_seals},
    Check{"store.checked", "Weekly check", Group::box, open_store, store_checked},
    Check{"store.people", "People's keys", Group::box, open_store, store_people},
    Check{"store.keys", "Patients' keys in reserve", Group::box, open_store, store_keys},
    Check{"store.wal", "The store's log", Group::box, open_store, store_wal},
    Check{"store.books", "Books", Group::box, open_store, store_books},
    Check{"containment.inside", "No way out, as clinicd asks the kernel", Group::box, clinicd, containment_inside,
          asked},
    Check{"containment.outside", "No way out, as seen from outside", Group::box, clinicd, containment_outside, asked},
    Check{"feeds.named", "Senders", Group::box, open_store, feeds_named},
    Check{"feeds.silent",
          "Silent senders",
          Group::box,
          {"clinicd.answers", "clinicd.mode", "clock.trusted"},
          feeds_silent},
    Check{"intake.quarantine", "Quarantine", Group::box, open_store, intake_quarantine},
    Check{"syncd.answers",
          "clinic-syncd answers",
          Group::delivery,
          {"service.syncd", "setup.syncd"},
          syncd_answers,
          asked_far,
          true},
    Check{"syncd.heard",
          "clinicd hears clinic-syncd",
          Group::delivery,
          {"clinicd.answers", "syncd.answers"},
          syncd_heard},
    Check{"ghl.names",
          "Name of GHL",
          Group::delivery,
          {"syncd.answers", "net.route", "net.resolver"},
          ghl_names,
          briefly,
          true},
    Check{"ghl.reached", "Connection to GHL", Group::delivery, {"syncd.answers", "ghl.names"}, ghl_reached},
    Check{"ghl.tls", "TLS with GHL", Group::delivery, {"syncd.answers", "ghl.reached"}, ghl_tls},
    Check{"ghl.issuer",
          "Nobody in between",
          Group::delivery,
          {"syncd.answers", "ghl.tls", "clock.date", "certificate.system"},
          ghl_issuer},
    Check{"ghl.certificate",
          "GHL's certificate",
          Group::delivery,
          {"syncd.answers", "ghl.tls", "clock.date"},
          ghl_certificate},
    Check{"ghl.asked",
          "GHL was asked",
          Group::delivery,
          {"syncd.answers", "ghl.issuer", "ghl.certificate", "clinicd.answers"},
          ghl_asked},
    Check{"ghl.token", "Token", Group::delivery, {"syncd.answers", "ghl.asked", "keys.there"}, ghl_token},
    Check{"ghl.accepted", "GHL accepts it", Group::delivery, {"syncd.answers", "ghl.asked", "ghl.token"}, ghl_accepted},
    Check{"ghl.scope", "It has its scopes", Group::delivery, {"syncd.answers", "ghl.asked", "ghl.accepted"}, ghl_scope},
    Check{"ghl.location",
          "GHL knows the location",
          Group::delivery,
          {"syncd.answers", "ghl.asked", "ghl.scope"},
          ghl_location},
    Check{"ghl.fields",
          "Its fields are there",
          Group::delivery,
          {"syncd.answers", "ghl.asked", "ghl.location"},
          ghl_fields},
    Check{"ghl.limits", "Within GHL's limits", Group::delivery, {"syncd.answers", "ghl.asked"}, ghl_limits},
    Check{"ghl.service", "GHL works", Group::delivery, {"syncd.answers", "ghl.asked"}, ghl_service},
    Check{"ghl.open",
          "The way to GHL",
          Group::delivery,
          {"syncd.answers", "ghl.asked", "ghl.fields", "ghl.service"},
          ghl_open},
    Check{"mqtt.names",
          "Name of the broker",
          Group::delivery,
          {"syncd.answers", "net.route", "net.resolver"},
          mqtt_names,
          briefly,
          true},
    Check{"mqtt.reached", "Connection to the broker", Group::delivery, {"syncd.answers", "mqtt.names"}, mqtt_reached},
    Check{"mqtt.tls", "TLS with the broker", Group::delivery, {"syncd.answers", "mqtt.reached"}, mqtt_tls},
    Check{"mqtt.issuer",
          "Nobody in between",
          Group::delivery,
          {"syncd.answers", "mqtt.tls", "clock.date", "certificate.authorities"},
          mqtt_issuer},
    Check{"mqtt.certificate",
          "The broker's certificate",
          Group::delivery,
          {"syncd.answers", "mqtt.tls", "clock.date"},
          mqtt_certificate},
    Check{"mqtt.numbers", "Its numbers", Group::delivery, {"syncd.answers"}, mqtt_numbers},
    Check{"mqtt.accepted",
          "The broker admits the box",
          Group::delivery,
          {"syncd.answers", "mqtt.issuer", "mqtt.certificate", "certificate.device"},
          mqtt_accepted},
    Check{"mqtt.alone", "Nobody else under its name", Group::delivery, {"syncd.answers", "mqtt.accepted"}, mqtt_alone},
    Check{
        "mqtt.limits", "Within the broker's limits", Group::delivery, {"syncd.answers", "mqtt.accepted"}, mqtt_limits},
    Check{"mqtt.service", "The broker works", Group::delivery, {"syncd.answers", "mqtt.accepted"}, mqtt_service},
    Check{"mqtt.open",
          "The way to central operations",
          Group::delivery,
          {"syncd.answers", "mqtt.alone", "mqtt.service", "mqtt.numbers"},
          mqtt_open},
    Check{"basis.valid", "Legal basis", Group::delivery, open_store, basis_valid},
    Check{"queue.dead", "Set aside", Group::delivery, open_store, queue_dead},
    Check{"queue.age",
          "Waiting",
          Group::delivery,
          {"clinicd.answers", "clinicd.mode", "basis.valid", "ghl.open"},
          queue_age},
};

// By hand: a compiler takes only so many steps for a promise.
constexpr bool same(const char* a, const char* b) {
    while (*a != '\0' && *a == *b) ++a, ++b;
    return *a == *b;
}

constexpr bool stands_above(std::size_t place, const char* id) {
    for (std::size_t i = 0; i < place; ++i)
        if (same(checks[i].id, id)) return true;
    return false;
}

// Ids are told apart, and what a check follows from has been looked at before it.
constexpr bool is_in_order() {
    for (std::size_t i = 0; i < checks.size(); ++i) {
        if (stands_above(i, checks[i].id)) return false;
        for (const char* id : checks[i].follows)
            if (id != nullptr && !stands_above(i, id)) return false;
    }
    return true;
}
static_assert(is_in_order());

} // namespace

std::span<const Check> table() {
    return checks;
}

} // namespace clinic::check
