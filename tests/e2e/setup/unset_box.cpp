#include "tests/e2e/setup/unset_box.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "crypto/base/files.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr uid_t clinicd_user = 61'701; // of packaging/try

const fakes::TempFolder& network_folder() {
    static const fakes::TempFolder folder;
    return folder;
}

void done(const Ran& ran, const char* what) {
    if (ran.exit != 0) throw std::runtime_error{std::string{what} + ": " + ran.out};
}

json read(const std::filesystem::path& file) {
    return json::parse(std::ifstream{file});
}

void write(const std::filesystem::path& file, const json& value) {
    std::ofstream{file} << value.dump(2) << "\n";
}

} // namespace

void enter_own_network() {
    static bool entered = false;
    if (std::exchange(entered, true)) return;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) throw std::runtime_error{"a network of one's own needs root"};
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", "/sys", "sysfs", 0, nullptr) != 0)
        throw std::runtime_error{"its file systems cannot be mounted"};
    done(run("ip link set lo up && ip link add lan0 type veth peer name lan1 && ip link set lan1 up && "
             "ip link set lan0 up && ip address add 192.168.77.2/24 dev lan0 && ip route add default via 192.168.77.1"),
         "the network");
    set_resolver("nameserver 192.168.77.1\n");
    if (mount((network_folder() / "resolv.conf").c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0)
        throw std::runtime_error{"the name server cannot be set"};
}

void set_resolver(const std::string& lines) {
    std::ofstream{network_folder() / "resolv.conf"} << lines;
}

UnsetBox::UnsetBox() : bus_{clinicd_user}, hands_{bus_, box_.folder()} {
    box_.stop();
    const std::string here = box_.folder().string();
    done(run("cd " + here +
             " && rm -rf records sync && mkdir -m 0700 records sync && chown 61701:61701 records && "
             "chown 61702:61702 sync && mkdir -p unset/keys unset/tls creds && chmod 0711 unset creds && "
             "chmod 0700 unset/keys"),
         "the folders");
    json ours = read(box_.folder() / "etc/clinicd.json"), theirs = read(box_.folder() / "etc/sync.json");
    ours["box"] = theirs["box"] = "new-box";
    ours["zone"] = "UTC";
    ours["mllp"]["allow"] = json::array();
    ours["credential"] = here + "/creds/clinic-edge.store";
    theirs["credential"] = here + "/creds/clinic-edge.sync-state";
    for (const char* key : {"ghl", "mqtt"}) ours.erase(key), theirs.erase(key);
    write(box_.folder() / "unset/clinicd.json", ours);
    write(box_.folder() / "unset/clinic-syncd.json", theirs);
    std::string plan = *base::read_text(box_.folder() / "etc/plan.json", 1'048'576);
    for (const auto& [from, to] : {std::pair<std::string, std::string>{"/etc/clinicd.json", "/unset/clinicd.json"},
                                   {"/etc/sync.json", "/unset/clinic-syncd.json"}})
        plan.replace(plan.find(from), from.size(), to);
    std::ofstream{box_.folder() / "etc/plan.json"} << plan;
    secret("ghl.token", *base::read_text(box_.folder() / "keys/ghl-emulator.token", 4'096));
    secret("phrase", "a long walk by the sea");
    done(run("install -m 0600 " + here + "/keys/device.key " + here + "/device.key"), "the device's key");
    std::ofstream{in("agreement.txt")} << "an agreement\n";
    if (!box_.start_again()) throw std::runtime_error{"it did not start: " + run("tail -n 5 " + here + "/logs/*").out};
}

std::string UnsetBox::secret(const char* name, const std::string& text) const {
    std::ofstream{in(name)} << text;
    std::filesystem::permissions(in(name), std::filesystem::perms{0600});
    return in(name).string();
}

json UnsetBox::answers() const {
    const json made = read(box_.folder() / "etc/sync.json");
    const std::string here = box_.folder().string() + "/";
    return {{"v", 1},
            {"organization", "Hill & Dale Veterinary Group"},
            {"clinic", "Müller Street"},
            {"box", "demo-1"},
            {"zone", "America/Denver"},
            {"ghl",
             {{"base", made.at("ghl").at("base")},
              {"location", made.at("ghl").at("location")},
              {"fields", made.at("ghl").at("fields")},
              {"token_file", here + "ghl.token"},
              {"ca_file", here + "ca.pem"},
              {"index_lag_ms", 2'000},
              {"late_ms", 15'000},
              {"call_timeout_s", 5}}},
            {"ops",
             {{"host", "127.0.0.1"},
              {"port", made.at("mqtt").at("port")},
              {"ca_file", here + "ca.pem"},
              {"certificate_file", here + "keys/device.pem"},
              {"key_file", here + "device.key"}}},
            {"template", "medical"},
            {"basis", {{"mode", "baa"}, {"evidence_file", here + "agreement.txt"}, {"expires", "2030-12-31"}}},
            {"unlinked", "shell"},
            {"keys", {{"recovery_words_file", here + "words.txt"}, {"passphrase_file", here + "phrase"}}},
            {"feeds", {{{"name", "pms"}, {"addresses", {"127.0.0.1"}}}}}};
}

void UnsetBox::keep_answers(const json& answers) const {
    write(in("answers.json"), answers);
}

std::string UnsetBox::command(const std::string& bus) const {
    const std::string here = box_.folder().string();
    return "env DBUS_SYSTEM_BUS_ADDRESS=" + bus + " " + here + "/bin/clinicctl --control " + here +
           "/run/control.sock ";
}

std::string UnsetBox::setup_words(const std::string& words) const {
    const std::string here = box_.folder().string();
    return "setup --etc " + here + "/unset --state " + here +
           "/setup --templates " CLINIC_SOURCE_DIR "/packaging/templates " + words;
}

std::string UnsetBox::setup_command(const std::string& words) const {
    return command(bus_.address()) + setup_words(words);
}

Ran UnsetBox::ctl(const std::string& words, const std::string& typed) const {
    std::ofstream{in("typed")} << typed;
    return run(command(bus_.address()) + words + " <" + in("typed").string());
}

Ran UnsetBox::set_up_without_a_bus() const {
    return run(command("unix:path=/nonexistent") + setup_words("--answers " + in("answers.json").string()) +
               " </dev/null");
}

Ran UnsetBox::setup(const std::string& words, const std::string& typed, const std::string& before) const {
    std::ofstream{in("typed")} << typed;
    return run("env " + before + " " + setup_command(words) + " <" + in("typed").string());
}

json UnsetBox::progress() const {
    return json::parse(setup("--status --json").out, nullptr, false);
}

json UnsetBox::state() const {
    const auto text = base::read_text(in("setup") / "progress.json", 1'048'576);
    return text ? json::parse(*text, nullptr, false) : json::object(); // empty: no step was done
}

} // namespace clinic::e2e
