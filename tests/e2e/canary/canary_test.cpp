// Containment from outside: a clinic's day full of canaries goes through the whole product, and then everything that
// came out of it is searched. docs/proofs.md.
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "tests/e2e/box.h"
#include "tests/e2e/canary/clinic_day.h"
#include "tests/e2e/canary/pipelined_sender.h"
#include "tests/e2e/canary/places.h"
#include "tests/e2e/canary/wire_tap.h"
#include "tests/support/campaign.h"

namespace clinic::e2e {
namespace {

constexpr int port_base = 21'000; // in a network of our own nobody else has it
constexpr std::size_t messages_a_round = 20'000, to_ghl = 160, connections = 4, csv_rows = 200;
constexpr uid_t daemon_user = 61'701, sync_user = 61'702;

std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

std::string read_all(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

class Canary : public testing::Test {
protected:
    static void SetUpTestSuite() { own_network_ = geteuid() == 0 && enter_own_network(); }
    void SetUp() override {
        if (!own_network_) GTEST_SKIP() << "a network of one's own and two users need root";
    }

    void begin(std::uint64_t seed) {
        day_.emplace(seed);
        search_.emplace(day_->canaries());
        tap_.emplace(std::set<unsigned short>{port_base + 1, port_base + 2, port_base + 3, port_base + 4},
                     port_base + 2);
        box_ = std::make_unique<Box>(port_base);
        places_.emplace(*box_, *search_);
        listen_to_ops();
        control_ghl({{"knob", "rate_per_10s"}, {"value", 100'000}});
    }
    void end() {
        stop_listening();
        box_.reset();
        tap_.reset();
        std::filesystem::remove(heard_);
    }
    void TearDown() override {
        if (own_network_) end();
    }

    // Central ops hears all that the box publishes, from the first message on.
    void listen_to_ops() {
        const auto& link = box_->endpoints().at("mqtt");
        heard_ = own_ / "heard";
        const std::string command =
            "exec mosquitto_sub -V 5 -h 127.0.0.1 -p " + std::to_string(link.at("port").get<int>()) + " --cafile " +
            quoted(link.at("ca")) + " --cert " + quoted(link.at("cert")) + " --key " + quoted(link.at("key")) +
            " -v -t 'clinic/+/up/#' -t 'clinic/+/state' -t 'ops/#' >" + quoted(heard_.string()) + " 2>&1";
        listener_ = fork();
        if (listener_ == 0) {
            execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            _exit(127);
        }
        EXPECT_TRUE(eventually([this] { return read_all(heard_).find("/state") != std::string::npos; }));
    }
    void stop_listening() {
        if (listener_ <= 0) return;
        kill(listener_, SIGTERM);
        waitpid(listener_, nullptr, 0);
        listener_ = 0;
    }
    void control_ghl(const nlohmann::json& body) const {
        run("curl --silent --max-time 10 --cacert " + quoted(box_->endpoints().at("console_ca")) + " -X POST -d " +
            quoted(body.dump()) + " " + quoted(box_->endpoints().at("ghl").at("faults")));
    }
    bool settled() const {
        const auto status = box_->status();
        return status.contains("egress") && status["egress"]["crm"]["pending"] == 0 &&
               status["egress"]["crm"]["leased"] == 0;
    }

    // What practice systems, the front desk, an attacker on the LAN and GHL say to the box in a day.
    void live() {
        const auto message = [this](std::size_t n) { return day_->message(n); };
        control_ghl({{"fault", "person-in-error"},
                     {"count", 12},
                     {"text", day_->word("ghlperson", 1) + " " + day_->word("ghlmail", 1) + "@example.org +" +
                                  day_->number("ghlphone", 1)}});
        auto answers = send_all(port_base + 2, 0, to_ghl, connections, message);
        EXPECT_TRUE(eventually([this] { return settled(); }, 600));
        EXPECT_EQ(box_->ctl("policy unlinked park").exit, 0);
        const auto rest = send_all(port_base + 2, to_ghl, messages_a_round, connections, message);
        std::size_t wrong = 0;
        for (std::size_t n = 0; n < messages_a_round; ++n) wrong += ClinicDay::is_wrong(n) ? 1U : 0U;
        EXPECT_EQ(answers.accepted + rest.accepted, messages_a_round - wrong);
        EXPECT_EQ(answers.refused + rest.refused, wrong);
        places_->look("answers of MLLP", answers.text + rest.text);
        import_files();
        knock_on_the_page();
        knock_on_egress();
        speak_nonsense();
        places_->look("answers of clinicctl", listings());
        places_->look("answers of the page", pages());
    }
    void import_files() {
        const auto folder = own_ / day_->word("filename", 1).c_str();
        std::filesystem::create_directory(folder);
        const auto put = [&](const char* kind, const std::string& text) {
            const auto file = folder / (day_->word("filename", 2) + "." + kind + ".csv");
            std::ofstream{file} << text;
            for (const char* form : {"", " --json"})
                places_->look(std::string{"the report of an import of "} + kind,
                              box_->ctl(std::string{"import "} + kind + " " + quoted(file.string()) + form).out);
        };
        put("patients", day_->patients_csv(csv_rows));
        put("appointments", day_->appointments_csv(csv_rows));
        put("consents", day_->consents_csv(csv_rows));
        put("patients", "record_number," + day_->word("column", 1) + "\n1,2\n");
        put("appointments", day_->word("column", 1));
        put("consents", "record_number,scope,state\n\"" + day_->word("column", 2));
        places_->look("a file that is not there",
                      box_->ctl("import patients " + quoted((folder / "absent").string())).out);
    }
    void knock_on_the_page() {
        const std::string name = day_->word("url", 1);
        for (const std::string& path : {"/" + name, "/api/v1/patients/" + name, "/api/v1/status?name=" + name,
                                        "/%00" + name, "/../" + name, "/" + std::string(9'000, 'a') + name})
            places_->look("the answer to " + path.substr(0, 12), box_->page(path));
        const std::string curl =
            "curl --silent --include --max-time 10 --cacert " + quoted(box_->endpoints().at("console_ca"));
        const std::string page = quoted(box_->endpoints().at("console").get<std::string>() + "/api/v1/status");
        for (const std::string& how :
             {" -X " + name + " ", " -X POST -d " + name + " ", " -H 'Host: " + name + "' ",
              " -H 'Cookie: a=" + name + "' -H '" + name + ": b' ", " -A " + name + " -e " + name + " ",
              " -u " + name + ":" + name + " ", " -H 'Transfer-Encoding: " + name + "' "})
            places_->look("the answer to a request", run(curl + how + page).out);
    }
    // As the sender's user: frames that no schema knows.
    void knock_on_egress() {
        const auto socket_path = box_->folder() / "run" / "egress.sock";
        const std::string name = day_->word("frame", 1);
        const auto answers = own_ / "egress-answers";
        std::ofstream{answers}.flush();
        const pid_t child = fork();
        if (child == 0) {
            const int out = open(answers.c_str(), O_WRONLY | O_APPEND);
            if (setgroups(0, nullptr) != 0 || setgid(sync_user) != 0 || setuid(sync_user) != 0) _exit(1);
            sockaddr_un there{};
            there.sun_family = AF_UNIX;
            std::strncpy(there.sun_path, socket_path.c_str(), sizeof there.sun_path - 1);
            for (const std::string& frame : {name, "{\"v\":1,\"frame\":\"" + name + "\"}",
                                             R"({"v":1,"frame":"lease","destination":")" + name + "\"}",
                                             R"({"v":1,"frame":"attempt","lease":1,"method":"POST","path":"/)" + name +
                                                 R"(","body":")" + name + "\"}"}) {
                const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
                if (connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) _exit(2);
                if (send(fd, frame.data(), frame.size(), MSG_NOSIGNAL) < 0) _exit(3);
                char answer[65'536];
                const ssize_t got = recv(fd, answer, sizeof answer, 0);
                if (got > 0 && write(out, answer, static_cast<std::size_t>(got)) != got) _exit(4);
                close(fd);
            }
            _exit(0);
        }
        int status = 0;
        waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
        EXPECT_FALSE(read_all(answers).empty());
        places_->look("answers on egress.sock", read_all(answers));
    }
    void speak_nonsense() {
        const std::string name = day_->word("garbage", 2);
        for (const std::string& bytes :
             {name + "\x0b" + name, "GET /" + name + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n",
              "\x0bMSH|" + name + "\x1c" + name + "\x1c\r", "\x0b" + name + "\x1c\r"})
            places_->look("answers to nonsense", send_raw(port_base + 2, bytes));
        const auto& link = box_->endpoints().at("mqtt");
        run("mosquitto_pub -V 5 -h 127.0.0.1 -p " + std::to_string(link.at("port").get<int>()) + " --cafile " +
            quoted(link.at("ca")) + " --cert " + quoted(link.at("cert")) + " --key " + quoted(link.at("key")) +
            " -t clinic/demo-1/down/v1/" + day_->word("downlink", 1) + " -m " + day_->word("downlink", 2));
        places_->look("clinicctl's own errors", box_->ctl(day_->word("header", 1) + " " + day_->word("header", 2)).out);
        places_->look("clinicctl's own errors", box_->ctl("basis set " + day_->word("header", 1)).out);
        places_->look("clinicctl's own errors", box_->ctl("basis set baa --expires " + day_->word("header", 1)).out);
    }
    std::string listings() const {
        std::string out;
        for (const char* words : {"status", "status --json", "basis show", "basis show --json", "quarantine list",
                                  "ledger", "audit verify", "containment", "containment --json"})
            out += box_->ctl(words).out;
        return out;
    }
    std::string pages() const {
        std::string out;
        for (const char* path : {"/", "/api/v1/status", "/api/health", "/metrics", "/absent"}) out += box_->page(path);
        return out + run("curl --silent --max-time 3 --cacert " + quoted(box_->endpoints().at("console_ca")) + " " +
                         quoted(box_->endpoints().at("console").get<std::string>() + "/api/v1/events"))
                         .out;
    }
    // Memory goes nowhere when a program is made to crash, and the box is there again.
    void crash_both() {
        const char* pattern_file = "/proc/sys/kernel/core_pattern";
        const auto dumps = own_ / "dumps";
        std::filesystem::create_directory(dumps);
        chmod(own_.path().c_str(), 0711);
        chmod(dumps.c_str(), 0777);
        std::string kept;
        std::getline(std::ifstream{pattern_file}, kept);
        std::ofstream{pattern_file} << (dumps / "%E-%p").string() << std::flush;
        for (const char* program : {"clinicd", "clinic-syncd"})
            for (const int signal : {SIGSEGV, SIGABRT}) {
                EXPECT_TRUE(signal_program(program, signal)) << program;
                EXPECT_TRUE(
                    eventually([this] { return box_->status().value("mode", "") == "running" && settled(); }, 60));
            }
        std::ofstream{pattern_file} << kept << std::flush;
        for (const auto& dump : std::filesystem::directory_iterator{dumps})
            EXPECT_EQ(dump.path().string().find("clinic"), std::string::npos) << dump.path();
    }
    bool signal_program(const std::string& name, int signal) const {
        const auto is_it = [&](const std::string& line) {
            return line.find("/bin/" + name + " ") != std::string::npos;
        };
        std::string before;
        for (const auto& one : box_->processes())
            if (is_it(one)) before = one;
        if (before.empty() || kill(static_cast<pid_t>(std::stol(before)), signal) != 0) return false;
        return eventually([&] {
            for (const auto& one : box_->processes())
                if (is_it(one) && one != before) return true;
            return false;
        });
    }

    void look_everywhere() {
        places_->look("GHL", read_all(box_->endpoints().at("ghl").at("requests").get<std::string>()));
        places_->look("central ops", read_all(heard_));
        places_->look("the wire", tap_->bytes());
        places_->look_at_processes();
        places_->look_at_files();
    }

    static inline bool own_network_ = false;
    fakes::TempFolder own_; // what a person at the clinic has: CSV files, and the listener's notes
    std::filesystem::path heard_;
    pid_t listener_ = 0;
    std::optional<ClinicDay> day_;
    std::optional<support::Search> search_;
    std::optional<WireTap> tap_;
    std::unique_ptr<Box> box_;
    std::optional<Places> places_;
};

TEST_F(Canary, NothingOfADayIsFoundAnywhere) {
    support::Campaign campaign{
        {.name = "canary", .what = "messages", .plain = 1, .most = 50, .weight = messages_a_round}};
    while (const auto seed = campaign.next()) {
        begin(*seed);
        live();
        crash_both();
        look_everywhere();
        EXPECT_EQ(places_->found(), std::vector<std::string>{}) << "seed " << *seed;
        EXPECT_EQ(tap_->strays(), std::vector<std::string>{}) << "seed " << *seed;
        EXPECT_TRUE(tap_->saw_all());
        EXPECT_GT(box_->requests().size(), to_ghl / 2); // it was a day on which something left
        EXPECT_GT(tap_->bytes().size(), 100'000U);
        EXPECT_NE(read_all(heard_).find("/up/"), std::string::npos);
        std::printf("canary: seed %llu, %zu canaries, %zu files and %llu bytes searched\n",
                    static_cast<unsigned long long>(*seed), day_->canaries().size(), places_->files(),
                    static_cast<unsigned long long>(places_->bytes()));
        end();
    }
}

// The places are really looked at: a canary that is put into each is found there.
TEST_F(Canary, APlantedOneIsFoundInEachPlace) {
    begin(999);
    const std::string name = day_->word("family", 7);
    const auto is_found = [this](const std::string& place) {
        for (const auto& one : places_->found())
            if (one.find(place) != std::string::npos) return true;
        return false;
    };
    const auto& ends = box_->endpoints();
    run("curl --silent --max-time 10 --cacert " + quoted(ends.at("console_ca")) + " -X POST -d " + name + " " +
        quoted(ends.at("ghl").at("base").get<std::string>() + "/contacts/"));
    run("mosquitto_pub -V 5 -h 127.0.0.1 -p " + std::to_string(port_base + 3) + " --cafile " +
        quoted(ends.at("mqtt").at("ca")) + " --cert " + quoted(ends.at("mqtt").at("cert")) + " --key " +
        quoted(ends.at("mqtt").at("key")) + " -t clinic/demo-1/up/v1/x -m " + name);
    EXPECT_TRUE(eventually([&] { return read_all(heard_).find(name) != std::string::npos; }));
    std::ofstream{box_->folder() / "logs" / "clinicd.log", std::ios::app} << name << '\n';
    std::ofstream{box_->folder() / "records" / "planted"} << std::string(100'000, '\0') << name;
    std::ofstream{box_->folder() / "run" / (name + ".tmp").c_str()} << "x";
    const std::filesystem::path elsewhere = "/var/tmp/clinic-canary-" + std::to_string(getpid());
    std::ofstream{elsewhere} << name;
    ASSERT_EQ(chown(elsewhere.c_str(), daemon_user, daemon_user), 0);
    const pid_t process = fork();
    if (process == 0) {
        setenv("NAME", name.c_str(), 1);
        execlp("tail", (box_->folder().string() + "/" + name).c_str(), "-f", "/dev/null", nullptr);
        _exit(127);
    }
    const auto asked = run("bash -c 'exec 3<>/dev/udp/192.0.2.53/53; echo " + name +
                           " >&3; timeout 1 bash -c \"exec 3<>/dev/tcp/192.0.2.7/443\"'");
    EXPECT_TRUE(eventually([&] { return tap_->strays().size() >= 2; })) << asked.out;
    EXPECT_TRUE(eventually([&] {
        for (const auto& one : box_->processes())
            if (one.find(name) != std::string::npos) return true;
        return false;
    }));
    look_everywhere();
    kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
    std::filesystem::remove(elsewhere);
    for (const std::string& place :
         {std::string{"GHL:"}, std::string{"central ops:"}, std::string{"the wire:"}, std::string{"clinicd.log:"},
          std::string{"records/planted:"}, std::string{"a file's name:"}, elsewhere.string(),
          std::to_string(process) + "/cmdline:", std::to_string(process) + "/environ:"})
        EXPECT_TRUE(is_found(place)) << place;
    EXPECT_NE(pages().find("# TYPE"), std::string::npos);
    EXPECT_NE(pages().find("\"containment\""), std::string::npos);
    EXPECT_NE(pages().find("event:"), std::string::npos);
}

} // namespace
} // namespace clinic::e2e
