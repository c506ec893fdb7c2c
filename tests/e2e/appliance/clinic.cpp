#include "tests/e2e/appliance/clinic.h"

#include <signal.h>

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
    run("kill $(cat " + (outside() / "pid").string() + ")");
}

Ran ClinicMachine::install() {
    return in("apt-get install -y -q /root/clinic-edge.deb");
}

void ClinicMachine::set_up() {
    const std::string out = outside().string();
    const auto made = run("set -e; mkdir -p " + out + "; cd " + out + "\n" +
                          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=ghl "
                          "-addext subjectAltName=IP:127.0.0.1 -keyout ghl.key -out ghl.pem 2>/dev/null\n"
                          "cp ghl.pem ../ghl-ca.pem; echo pit-appliance >ghl.token; cp ghl.token ..\n" +
                          emulator + " --print-fields >../fields.json\n" +
                          "install -m 0755 " CLINIC_SOURCE_DIR "/tests/e2e/appliance/setup ../setup");
    if (made.exit != 0) throw std::runtime_error{"what the clinic has: " + made.out};
    start_ghl();
    const auto done = in("/root/setup https://127.0.0.1:" + std::to_string(ghl_port));
    if (done.exit != 0) throw std::runtime_error{"setup: " + done.out};
    if (!serves())
        throw std::runtime_error{"it does not serve: " +
                                 in("journalctl -b --no-pager -o cat -u 'clinic*' | tail -n 40").out};
    const auto open = in("echo agreement >/root/baa.txt; clinicctl basis set baa --evidence /root/baa.txt --expires "
                         "$(date -u -d '+1 year' +%Y-%m-%d); clinicctl policy unlinked shell");
    if (open.exit != 0) throw std::runtime_error{"the basis: " + open.out};
}

void ClinicMachine::start_ghl() {
    const std::string out = outside().string();
    run("cd " + out + " && { [ ! -e pid ] || kill $(cat pid); } 2>/dev/null; " + "setsid " + emulator +
        " --bind 127.0.0.1 --port " + std::to_string(ghl_port) +
        " --cert ghl.pem --key ghl.key --token ghl.token --location ApplianceLocation001 --state state.json "
        "--requests requests.jsonl </dev/null >emulator.log 2>&1 & echo $! >" +
        out + "/pid");
    if (!eventually([] { return static_cast<bool>(tcp(ghl_port)); }, patience_s))
        throw std::runtime_error{"GHL is not there"};
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
