#include "tests/e2e/appliance/clinic.h"

#include <signal.h>

#include <chrono>
#include <fstream>
#include <stdexcept>

#include "tests/e2e/wire.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

const std::string emulator = std::string{CLINIC_BINARY_DIR} + "/bin/ghl-emulator";

json parsed(const std::string& text) {
    const auto from = text.find('{');
    auto value = from == std::string::npos ? json::object() : json::parse(text.substr(from), nullptr, false);
    return value.is_object() ? value : json::object();
}

} // namespace

ClinicMachine::~ClinicMachine() {
    stop_outside();
}

Ran ClinicMachine::install() {
    return in("apt-get install -y -q /root/clinic-edge.deb");
}

void ClinicMachine::set_up() {
    const std::string out = outside().string();
    const auto made = run(
        "set -e; mkdir -p " + out + "; cd " + out + "\n" +
        "own() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=$1 -addext "
        "subjectAltName=IP:127.0.0.1 -keyout $1.key -out $1.pem 2>/dev/null; }\n"
        "own ghl; own ops; openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=clinic-7 -keyout "
        "device.key -out device.csr 2>/dev/null; openssl x509 -req -in device.csr -CA ops.pem -CAkey ops.key -days 30 "
        "-out device.pem 2>/dev/null\n"
        "echo pit-appliance >ghl.token; echo agreement >../agreement\n"
        "cp ghl.pem ops.pem device.pem ..; install -m 0600 device.key ghl.token ..\n"
        "printf '%s\n' 'listener " +
        std::to_string(mqtt_port) +
        " 127.0.0.1' 'cafile ops.pem' 'certfile ops.pem' 'keyfile ops.key' 'require_certificate true' "
        "'use_identity_as_username true' 'user root' >broker.conf\n" +
        emulator + " --print-fields >fields.json\n");
    if (made.exit != 0) throw std::runtime_error{"what the clinic has: " + made.out};
    start_ghl();
    std::ofstream{path("/root/answers.json")} << answers().dump(2) << "\n";
    const auto begun = std::chrono::steady_clock::now();
    const auto done = in("clinicctl setup --answers /root/answers.json");
    setup_took_ = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
    if (done.exit != 0) throw std::runtime_error{"setup: " + done.out};
    if (!serves())
        throw std::runtime_error{"it does not serve: " +
                                 in("journalctl -b --no-pager -o cat -u 'clinic*' | tail -n 40").out};
}

json ClinicMachine::answers() const {
    std::ifstream in{outside() / "fields.json"};
    const auto made = json::parse(in);
    json fields;
    for (const char* one : {"pid", "stage", "last", "next", "appt_status", "appt_when"})
        fields[one] = made.at(std::string{"ce_"} + one);
    return {{"v", 1},
            {"organization", "Appliance Group"},
            {"clinic", "Bench"},
            {"box", "clinic-7"},
            {"zone", "UTC"},
            {"ghl",
             {{"base", "https://127.0.0.1:" + std::to_string(ghl_port)},
              {"location", "ApplianceLocation001"},
              {"token_file", "/root/ghl.token"},
              {"ca_file", "/root/ghl.pem"},
              {"fields", fields},
              {"index_lag_ms", 2'000},
              {"late_ms", 15'000},
              {"call_timeout_s", 5}}},
            {"ops",
             {{"host", "127.0.0.1"},
              {"port", mqtt_port},
              {"ca_file", "/root/ops.pem"},
              {"certificate_file", "/root/device.pem"},
              {"key_file", "/root/device.key"}}},
            {"template", "medical"},
            {"basis", {{"mode", "baa"}, {"evidence_file", "/root/agreement"}, {"expires", "2036-12-31"}}},
            {"unlinked", "shell"},
            {"keys", {{"recovery_words_file", "/root/words"}, {"passphrase_file", nullptr}}},
            {"feeds", json::array({{{"name", "desk"}, {"addresses", {"127.0.0.1"}}, {"expect", "none"}}})}};
}

// A cable with an address, which leads nowhere; what is beyond it lives on the loopback. Senders without a name are let
// in besides, so that a box that is locked answers them.
void ClinicMachine::plug_in() {
    const auto done =
        in("ip link show lan0 >/dev/null 2>&1 && exit 0\n"
           "ip link add lan0 type veth peer name lan1; ip link set lan1 up; ip link set lan0 up\n"
           "ip address add 192.168.9.20/24 dev lan0; ip route add default via 192.168.9.1\n"
           "echo nameserver 192.168.9.1 >/etc/resolv.conf\n"
           "cd /etc/clinic-edge; jq '.mllp.allow = [\"127.0.0.1\"]' clinicd.json >new; cat new >clinicd.json; rm new");
    if (done.exit != 0) throw std::runtime_error{"the cable: " + done.out};
}

void ClinicMachine::start_ghl() {
    plug_in();
    start_outside("");
}

void ClinicMachine::stop_outside() const {
    run("cd " + outside().string() +
        " && for p in pid broker.pid; do [ ! -e $p ] || { kill -- -$(cat $p); rm $p; }; done 2>/dev/null");
}

void ClinicMachine::pull_cable() {
    stop_outside();
    if (in("ip link set lan1 down").exit != 0) throw std::runtime_error{"the cable cannot be pulled"};
}

void ClinicMachine::plug_in_again(const std::string& ghls_clock) {
    if (in("ip link set lan1 up; ip route replace default via 192.168.9.1").exit != 0)
        throw std::runtime_error{"the cable cannot be plugged in"};
    start_outside(ghls_clock);
}

void ClinicMachine::start_outside(const std::string& clock) const {
    stop_outside();
    const std::string out = outside().string();
    run("cd " + out + " && " + (clock.empty() ? "" : "export DONT_FAKE_MONOTONIC=1; ") + "setsid " +
        (clock.empty() ? "" : "faketime -f '" + clock + "' ") + emulator + " --bind 127.0.0.1 --port " +
        std::to_string(ghl_port) +
        " --cert ghl.pem --key ghl.key --token ghl.token --location ApplianceLocation001 --state state.json "
        "--requests requests.jsonl </dev/null >emulator.log 2>&1 & echo $! >" +
        out + "/pid; cd " + out +
        " && { setsid mosquitto -c broker.conf </dev/null >broker.log 2>&1 & echo $! >broker.pid; }");
    if (!eventually([] { return tcp(ghl_port) && tcp(mqtt_port); }, patience_s))
        throw std::runtime_error{"GHL or the broker is not there"};
}

std::size_t ClinicMachine::persons_at_ghl() const {
    std::size_t found = 0;
    for (const auto& contact : ghl().value("contacts", json::array()))
        found += contact.value("firstName", std::string{}).starts_with("p_") ? 1U : 0U;
    return found;
}

std::string ClinicMachine::heard_by_ops(const std::string& topic, int messages) const {
    return run("cd " + outside().string() + " && mosquitto_sub -V 5 -h 127.0.0.1 -p " + std::to_string(mqtt_port) +
               " --cafile ops.pem --cert ops.pem --key ops.key -W 90 -C " + std::to_string(messages) + " -t '" + topic +
               "'")
        .out;
}

json ClinicMachine::ghl() const {
    return parsed(run("curl --silent --max-time 10 --cacert " + (outside() / "ghl.pem").string() +
                      " https://127.0.0.1:" + std::to_string(ghl_port) + "/_state")
                      .out);
}

void ClinicMachine::steer_ghl(const json& how) const {
    const auto done =
        run("curl --silent --show-error --fail --max-time 10 --cacert " + (outside() / "ghl.pem").string() +
            " -X POST -d '" + how.dump() + "' https://127.0.0.1:" + std::to_string(ghl_port) + "/_faults");
    if (done.exit != 0) throw std::runtime_error{"the emulator: " + done.out};
}

long ClinicMachine::asked_ghl(std::string_view beginning) const {
    std::ifstream in{outside() / "requests.jsonl"};
    long found = 0;
    for (std::string line; std::getline(in, line);) {
        const auto request = json::parse(line, nullptr, false);
        if (!request.is_object()) continue; // the last line may be half a line
        const auto what = request.value("method", "") + " " + request.value("path", "") + " ";
        found += what.starts_with(beginning) ? 1 : 0;
    }
    return found;
}

json ClinicMachine::status() {
    return parsed(in("clinicctl status --json").out);
}

bool ClinicMachine::serves() {
    return eventually([this] { return status().value("ready", false); }, patience_s);
}

std::string ClinicMachine::send(const std::string& message) const {
    const auto socket = tcp(mllp_port);
    if (!socket || !send_all(socket, mllp_frame(message))) return "";
    return acknowledgement(hear(socket, patience_s, "\x1c").bytes);
}

std::string ClinicMachine::page(const std::string& path) {
    return in("curl --silent --show-error --include --max-time 10 --cacert /etc/clinic-edge/tls/local-ca.pem "
              "https://127.0.0.1" +
              path)
        .out;
}

long ClinicMachine::main_process(const std::string& unit) {
    const auto said = ask("systemctl show --property=MainPID --value " + unit);
    return said.empty() ? 0 : std::stol(said);
}

bool ClinicMachine::has_restarted(const std::string& unit, long old) {
    return eventually(
        [&] {
            const long now = main_process(unit);
            return now != 0 && now != old && ask("systemctl is-active " + unit) == "active";
        },
        patience_s);
}

std::int64_t ClinicMachine::stored() {
    return status().at("intake").at("mllp").at("stored").get<std::int64_t>();
}

} // namespace clinic::e2e
