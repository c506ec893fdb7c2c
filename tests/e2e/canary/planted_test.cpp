// The places are really looked at: canaries that are put into each are found there, plain and in forms that are hard to
// see, by the same functions that look for them after a day.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "tests/e2e/canary/own_network.h"
#include "tests/e2e/canary/pipelined_sender.h"
#include "tests/e2e/canary/room.h"
#include "tests/e2e/wire.h"
#include "tests/support/gzip.h"

namespace clinic::e2e {
namespace {

constexpr std::uint64_t planted_seed = 999;

std::string utf16(const std::string& text) {
    std::string out;
    for (const char c : text) out += {c, '\0'};
    return out;
}

class Planted : public Canary {
protected:
    void SetUp() override {
        Canary::SetUp();
        if (IsSkipped()) return;
        const auto left = earlier_ / "left";
        std::ofstream{left} << ClinicDay{planted_seed}.word("family", 7);
        ASSERT_EQ(chown(left.c_str(), daemon_user, daemon_user), 0);
        room_.emplace(planted_seed);
        plain_ = room_->day.word("family", 7);
        // A name by the field that it is put in: three canaries, in three forms.
        everything_ = "a " + plain_ + " b " + utf16(room_->day.word("given", 7)) +
                      support::gzip("c " + room_->day.word("city", 7));
        std::ofstream{room_->own / "body", std::ios::binary} << everything_;
    }
    void TearDown() override {
        if (process_ > 0) {
            kill(process_, SIGKILL);
            waitpid(process_, nullptr, 0);
        }
        room_.reset();
    }
    Box& box() { return room_->box; }

    bool is_found(const std::string& place, const std::string& form) const {
        for (const auto& one : room_->places.found())
            if (one.find(place) != std::string::npos && one.find(form) != std::string::npos) return true;
        return false;
    }
    void expect_plain(const std::string& place) const { EXPECT_TRUE(is_found(place, " as ")) << place; }
    void expect_each_form(const std::string& place) const {
        for (const auto& [field, form] :
             {std::pair{"family", "plain"}, {"given", "UTF-16, little end first"}, {"city", "plain"}}) {
            const auto word = room_->day.word(field, 7);
            std::string canary = word.substr(0, word.size() - 5);
            canary.front() = static_cast<char>(canary.front() - 'A' + 'a');
            EXPECT_TRUE(is_found(place, canary + " as " + form)) << field << " in " << place;
        }
    }
    std::string link_options(const std::string& identity, int port) {
        const auto keys = box().folder() / "keys";
        return " -V 5 -h 127.0.0.1 -p " + std::to_string(port) + " --cafile " +
               quoted((box().folder() / "ca.pem").string()) + " --cert " +
               quoted((keys / (identity + ".pem")).string()) + " --key " +
               quoted((keys / (identity + ".key")).string());
    }

    // Processes of the box with names in command line and environment, in the name of a thread, and in files that are
    // open and have no name any more: a deleted one and one that is memory.
    void start_a_process() {
        const auto folder = box().folder().string();
        const auto name = plain_;
        const auto bytes = everything_;
        process_ = fork();
        if (process_ != 0) return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        const auto path = folder + "/deleted-" + name;
        const int file = open(path.c_str(), O_RDWR | O_CREAT, 0600);
        if (write(file, bytes.data(), bytes.size()) < 0) _exit(1);
        unlink(path.c_str());
        const int memory = memfd_create(("m-" + name).c_str(), 0);
        if (write(memory, bytes.data(), bytes.size()) < 0) _exit(1);
        const pid_t with_arguments = fork();
        if (with_arguments == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            setenv("NAME", name.c_str(), 1);
            execlp("tail", (folder + "/" + name).c_str(), "-f", "/dev/null", nullptr);
            _exit(127);
        }
        // The box's processes are known by their command lines, which name its folder.
        const auto script = "echo " + name.substr(0, 15) + " >/proc/$$/comm; kill -STOP $$; :";
        execlp("bash", "bash", "-c", script.c_str(), (folder + "/").c_str(), nullptr);
        _exit(127);
    }

    fakes::TempFolder earlier_; // what a run before this one has left, as it would when it is cut off
    std::optional<Room> room_;
    std::string plain_, everything_;
    pid_t process_ = 0;
};

TEST_F(Planted, IsFoundInWhatLeft) {
    const auto& ends = box().endpoints();
    const std::string curl = "curl --silent --max-time 10 --cacert " + quoted(ends.at("console_ca")) +
                             " -X POST --data-binary @" + quoted((room_->own / "body").string()) + " ";
    run(curl + "https://127.0.0.1:" + std::to_string(Room::ghl_recorded) + "/contacts/");
    const auto publish = [&](const std::string& identity, int port, const std::string& rest) {
        EXPECT_EQ(run("mosquitto_pub" + link_options(identity, port) + rest).exit, 0) << rest;
    };
    publish("device", Room::mqtt_recorded,
            " -i " + room_->day.word("doctor", 1) + " --will-topic clinic/demo-1/up/v1/x --will-payload " +
                room_->day.word("street", 1) + " -D publish user-property a " + room_->day.word("policy", 1) +
                " -t clinic/demo-1/up/v1/x -f " + quoted((room_->own / "body").string()));
    run("timeout 5 mosquitto_sub" + link_options("device", Room::mqtt_recorded) + " -W 1 -t a -U clinic/" +
        room_->day.word("note", 1));
    publish("ops", Room::port_base + 3, " -t elsewhere/" + plain_ + " -m " + plain_);
    publish("ops", Room::port_base + 3, " -t clinic/x/" + plain_ + " -m " + plain_);
    EXPECT_TRUE(eventually([&] { return room_->heard().find("clinic/x/" + plain_) != std::string::npos; }));
    run("bash -c 'exec 3<>/dev/udp/192.0.2.53/53; echo " + plain_ +
        " >&3; timeout 1 bash -c \"exec 3<>/dev/tcp/192.0.2.7/" + std::to_string(box().mllp_port()) +
        "\"; exec 4<>/dev/udp/2001:db8::53/53; echo " + plain_ + " >&4'");
    EXPECT_TRUE(eventually([&] {
        int ways = 0;
        for (const auto& one : room_->tap.strays())
            for (const char* way : {"192.0.2.53 port 53", "192.0.2.7 port 21002", "2001:db8::53 port 53"})
                ways += one.find(way) != std::string::npos ? 1 : 0;
        return ways >= 3;
    })) << testing::PrintToString(room_->tap.strays());
    room_->look_at_what_left();
    for (const char* place : {"GHL's record:", "bytes to GHL:", "bytes to the broker:", "what the broker gave on:"})
        expect_each_form(place);
    expect_plain("the wire:");
    for (const char* field : {"doctor", "street", "policy", "note"}) {
        auto word = room_->day.word(field, 1);
        word = static_cast<char>(word.front() - 'A' + 'a') + word.substr(1, word.size() - 6);
        EXPECT_TRUE(is_found("bytes to the broker:", word)) << field;
    }
}

TEST_F(Planted, IsFoundInFilesAndProcesses) {
    const auto in = [&](const std::filesystem::path& path) {
        std::ofstream{path, std::ios::app | std::ios::binary} << everything_ << '\n';
        return path.string() + ":";
    };
    std::vector<std::string> places;
    for (const char* name :
         {"logs/clinicd.log", "logs/clinic-syncd.log", "logs/mosquitto.log", "sync/planted", "etc/x"})
        places.push_back(in(box().folder() / name));
    std::ofstream{box().folder() / "records" / "planted"} << std::string(9'000'000, '\0'); // over a part's end
    places.push_back(in(box().folder() / "records" / "planted"));
    std::ofstream{box().folder() / "run" / (plain_ + ".tmp")} << "x";
    const std::filesystem::path elsewhere = "/var/tmp/clinic-canary-" + std::to_string(getpid());
    places.push_back(in(elsewhere));
    ASSERT_EQ(chown(elsewhere.c_str(), daemon_user, daemon_user), 0);
    start_a_process();
    EXPECT_TRUE(eventually([&] {
        const auto all = box().processes();
        return std::count_if(all.begin(), all.end(), [&](const std::string& one) {
                   return one.find(" tail") != std::string::npos || one.find(plain_) != std::string::npos;
               }) >= 2;
    }));
    const auto dump = room_->dumps.control(everything_, daemon_user);
    ASSERT_FALSE(dump.empty());
    room_->look_everywhere();
    std::filesystem::remove(elsewhere);
    for (const auto& place : places) expect_each_form(place);
    expect_plain("a file's name:");
    expect_each_form("/deleted-" + plain_ + " (deleted)");
    expect_each_form("m-" + plain_ + " (deleted)");
    for (const char* name : {"/cmdline:", "/environ:", "/task:", "/fd:"}) expect_plain(name);
    expect_plain(dump.string() + ":");
    EXPECT_FALSE(is_found(earlier_.path().string(), " as "));
}

TEST_F(Planted, IsFoundInAnswers) {
    // MSH-10 comes back to its sender, in MSA-2, from which the round takes it away; here it is left.
    const auto sent = send_all(static_cast<unsigned short>(box().mllp_port()), 0, 4, 4,
                               [this](std::size_t n) { return room_->day.message(n); });
    EXPECT_EQ(sent.accepted, 4U);
    room_->places.look("answers of MLLP", Visits::without_echo(sent.text));
    EXPECT_EQ(room_->places.found(), std::vector<std::string>{});
    room_->places.look("answers of MLLP", sent.text);
    expect_plain("answers of MLLP:");

    // What clinicctl shows to who gives a reason.
    const auto list = nlohmann::json::parse(box().ctl("messages list --json").out);
    const auto shown = box().ctl("messages show " + list.at(0).at("id").dump() + " --reveal --reason 'a test of ours'");
    room_->places.look("clinicctl messages show", shown.out);
    expect_plain("clinicctl messages show:");
    EXPECT_EQ(room_->search.in(box().ctl("messages show " + list.at(0).at("id").dump()).out).size(), 0U);
}

// A page and an egress.sock that say everything, in the place of the box's own.
TEST_F(Planted, IsFoundInWhatTheDoorsSay) {
    const auto site = room_->own / "site";
    std::filesystem::create_directories(site / "api" / "v1" / "patients");
    std::filesystem::remove(site / "api" / "v1" / "patients");
    const std::vector<std::string> pages{"api/v1/status", "api/health",      "metrics",
                                         "absent",        "api/v1/patients", "api/v1/events"};
    for (const auto& page : pages) std::ofstream{site / page, std::ios::binary} << everything_;
    const auto keys = box().folder() / "keys";
    const std::string serve = "cd " + quoted(site.string()) + " && exec openssl s_server -quiet -WWW -accept " +
                              std::to_string(Room::spare_port) + " -cert " + quoted((keys / "console.pem").string()) +
                              " -key " + quoted((keys / "console.key").string()) + " >/dev/null 2>&1 </dev/null";
    process_ = start_shell(serve);
    EXPECT_TRUE(eventually([] { return static_cast<bool>(tcp(Room::spare_port)); }));
    room_->visits.read_pages("https://127.0.0.1:" + std::to_string(Room::spare_port));
    for (const auto& page : pages) expect_each_form("the page /" + page + ":");

    const auto path = room_->own / "echo.sock";
    const std::string answer = everything_;
    base::UniqueFd door{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un here{};
    here.sun_family = AF_UNIX;
    path.string().copy(here.sun_path, sizeof here.sun_path - 1);
    ASSERT_EQ(bind(door.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
    ASSERT_EQ(listen(door.get(), 8), 0);
    ASSERT_EQ(chmod(path.c_str(), 0777), 0);
    std::jthread echo{[&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const base::UniqueFd one{accept(door.get(), nullptr, nullptr)};
            char question[4'096];
            if (one && recv(one.get(), question, sizeof question, 0) > 0) send_all(one, answer);
        }
    }};
    room_->visits.knock_on_egress(path);
    echo.request_stop();
    shutdown(door.get(), SHUT_RDWR);
    expect_each_form("an answer on egress.sock:");
}

} // namespace
} // namespace clinic::e2e
