// clinic-syncd as a program: a scripted clinicd on one side, a scripted GHL on the other.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "sync/diagnose/said/said.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/channel/ghl/leases.h"
#include "tests/sync/support/scripted_egress.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::sync {
namespace {

using support::eventually;

struct Syncd : testing::Test {
    fakes::TempFolder folder;
    support::Authority authority{folder.path(), "authority"};
    std::uint16_t broker = 0; // its port; 0: none is configured
    std::atomic<int> leases{1};
    std::atomic<std::int64_t> attempts{0};
    pid_t pid = -1;

    std::optional<envelope::Reply> answer(const envelope::Request& request) {
        const auto* settle = std::get_if<envelope::Settle>(&request);
        if (std::holds_alternative<envelope::LeaseRequest>(request) || (settle != nullptr && settle->next)) {
            if (leases-- <= 0) return envelope::Lease{};
            return ghl::to_create(ghl::contact_state({"new_patient"}));
        }
        if (std::holds_alternative<envelope::Attempt>(request))
            return envelope::Verdict{++attempts, envelope::Answer::go, ""};
        return envelope::Settled{};
    }
    std::string asked_at() const { return (folder / "ask.sock").string(); }
    void write_configuration(std::uint16_t port, const std::filesystem::path& records = {}) const {
        std::ofstream{folder / "token"} << "pit-test\n";
        std::ofstream{folder / "credential"} << std::string(64, 'a') << "\n";
        const auto& fields = ghl::rules().fields;
        nlohmann::json configuration{{"box", "demo-1"},
                                     {"egress", (folder / "egress.sock").string()},
                                     {"state", folder.path().string()},
                                     {"credential", (folder / "credential").string()},
                                     {"diagnose", asked_at()},
                                     {"workers", 2},
                                     {"ghl",
                                      {{"base", "https://127.0.0.1:" + std::to_string(port)},
                                       {"location", "loc1"},
                                       {"token_file", (folder / "token").string()},
                                       {"ca", authority.pem().string()},
                                       {"fields",
                                        {{"pid", fields.pid},
                                         {"stage", fields.stage},
                                         {"last", fields.last},
                                         {"next", fields.next},
                                         {"appt_status", fields.appt_status},
                                         {"appt_when", fields.appt_when}}}}}};
        if (!records.empty()) configuration["records"] = records.string();
        if (broker != 0)
            configuration["mqtt"] = {{"host", "127.0.0.1"},
                                     {"port", broker},
                                     {"ca", authority.pem().string()},
                                     {"cert", authority.issue("demo-1", "").cert.string()},
                                     {"key", (folder / "demo-1.key").string()}};
        std::ofstream{folder / "syncd.json"} << configuration;
    }
    void start() { start({"--config", (folder / "syncd.json").string()}); }
    void start(std::vector<std::string> words) {
        words.insert(words.begin(), CLINIC_SYNCD);
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t log;
        posix_spawn_file_actions_init(&log);
        posix_spawn_file_actions_addopen(&log, STDERR_FILENO, (folder / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                         0600);
        EXPECT_EQ(posix_spawn(&pid, CLINIC_SYNCD, &log, nullptr, arguments.data(), environ), 0);
        posix_spawn_file_actions_destroy(&log);
    }
    int exit_code() {
        int status = 0;
        EXPECT_EQ(waitpid(std::exchange(pid, -1), &status, 0) > 0, true);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    bool has_said(const std::string& words) const {
        const auto log = base::read_text(folder / "log", 65'536);
        return log && log->find(words) != std::string::npos;
    }
    void TearDown() override {
        if (pid < 0) return;
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
};

TEST_F(Syncd, DeliversWhatItLeasesAndStopsCleanly) {
    support::ScriptedHttps server{authority.issue("ghl", "IP:127.0.0.1"), [](const support::Received& request) {
                                      return request.path == "/contacts/"
                                                 ? support::answer(201, R"({"contact":{"id":"new1"}})")
                                                 : support::answer(200, R"({"location":{"id":"loc1"}})");
                                  }};
    write_configuration(server.port());
    support::ScriptedEgress egress{folder / "egress.sock",
                                   [this](const envelope::Request& request) { return answer(request); }};
    start();
    const auto delivered = [&] {
        const auto settled = egress.seen<envelope::Settle>();
        return std::any_of(settled.begin(), settled.end(), [](const envelope::Settle& one) {
            return one.lease == 11 && one.outcome == envelope::Outcome::delivered && one.contact == "new1";
        });
    };
    ASSERT_TRUE(eventually(delivered));
    ASSERT_TRUE(eventually([&] {
        const auto told = egress.seen<envelope::TimeState>();
        return !told.empty() && told.back().crm == envelope::LaneState::up && told.back().https_offset_s.has_value();
    }));
    const auto before = std::chrono::steady_clock::now();
    kill(pid, SIGTERM);
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    pid = -1;
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{5});
}

TEST_F(Syncd, StopsInTimeWhileACallHangs) {
    std::atomic<bool> hangs{false};
    support::ScriptedHttps server{authority.issue("ghl", "IP:127.0.0.1"), [&](const support::Received& request) {
                                      if (request.path != "/contacts/")
                                          return support::answer(200, R"({"location":{"id":"loc1"}})");
                                      hangs = true;
                                      return support::Sent{"", std::chrono::seconds{60}, true};
                                  }};
    write_configuration(server.port());
    support::ScriptedEgress egress{folder / "egress.sock",
                                   [this](const envelope::Request& request) { return answer(request); }};
    start();
    ASSERT_TRUE(eventually([&] { return hangs.load(); }));
    const auto before = std::chrono::steady_clock::now();
    kill(pid, SIGTERM);
    ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
    pid = -1;
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{10});
    const auto settled = egress.seen<envelope::Settle>();
    ASSERT_TRUE(
        std::any_of(settled.begin(), settled.end(), [](const envelope::Settle& one) { return one.lease == 11; }));
    EXPECT_EQ(settled.back().outcome, envelope::Outcome::retry);
    ASSERT_EQ(settled.back().steps.size(), 1U);
    EXPECT_EQ(settled.back().steps[0].result, envelope::StepOutcome::Result::unknown)
        << "what the create did is to be looked up";
}

TEST_F(Syncd, SaysHowItsWaysAreWhenItIsAsked) {
    std::string body = R"({"statusCode":401,"message":"Invalid token: access token is invalid"})";
    support::ScriptedHttps server{authority.issue("ghl", "IP:127.0.0.1"),
                                  [&](const support::Received&) { return support::answer(401, body); }};
    write_configuration(server.port());
    const support::ScriptedEgress egress{folder / "egress.sock",
                                         [this](const envelope::Request& request) { return answer(request); }};
    for (const char* code : {"unauthorized", "scope"}) {
        start();
        ASSERT_TRUE(eventually([&] { return diagnose::ask(asked_at(), 20).has_value(); }));
        const auto said = diagnose::ask(asked_at(), 20);
        ASSERT_TRUE(said) << said.error().what.c_str();
        EXPECT_TRUE(said->verdict);
        EXPECT_EQ(said->ghl.tls, diagnose::Step::ok);
        EXPECT_EQ(said->ghl.issuer, "authority");
        EXPECT_EQ(said->ghl.state, "down");
        EXPECT_EQ(said->ghl.code, code);
        EXPECT_EQ(diagnose::write(*said).find("pit-"), std::string::npos);
        kill(pid, SIGTERM);
        EXPECT_EQ(exit_code(), 0);
        body = R"({"statusCode":401,"message":"The token is not authorized for this scope."})";
    }
    for (const auto& request : server.received())
        EXPECT_TRUE(request.path == "/locations/loc1" || request.path == "/locations/loc1/customFields")
            << request.path;
}

// A far side that is silent holds the one who asks, and no envelope.
TEST_F(Syncd, DeliversWhileItIsAsked) {
    std::atomic<bool> asking{false};
    support::ScriptedHttps server{authority.issue("ghl", "IP:127.0.0.1"), [](const support::Received& request) {
                                      return request.path == "/contacts/"
                                                 ? support::answer(201, R"({"contact":{"id":"new1"}})")
                                                 : support::answer(200, R"({"location":{"id":"loc1"}})");
                                  }};
    const base::UniqueFd silent{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(silent.get(), 8), 0); // connections are made, and nobody ever speaks
    ASSERT_EQ(getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    broker = ntohs(address.sin_port);
    leases = 0;
    write_configuration(server.port());
    support::ScriptedEgress egress{folder / "egress.sock",
                                   [this](const envelope::Request& request) { return answer(request); }};
    start();
    ASSERT_TRUE(eventually([&] { return access(asked_at().c_str(), F_OK) == 0; }));
    Result<diagnose::Said> said = Error{Errc::unknown, "not asked yet"};
    std::jthread asker{[&] {
        asking = true;
        // Its name is there a moment before anybody listens.
        EXPECT_TRUE(eventually([&] {
            said = diagnose::ask(asked_at(), 20);
            return said.has_value();
        }));
        asking = false;
    }};
    ASSERT_TRUE(eventually([&] { return asking.load(); }));
    leases = 1;
    ASSERT_TRUE(eventually([&] { return !egress.seen<envelope::Settle>().empty(); }));
    EXPECT_TRUE(asking) << "the envelope was settled before the answer was there";
    asker.join();
    ASSERT_TRUE(said) << said.error().what.c_str();
    EXPECT_EQ(said->mqtt.tls, diagnose::Step::timeout);
    EXPECT_EQ(said->ghl.state, "up");
}

TEST_F(Syncd, GoesOnWithoutThatSocket) {
    write_configuration(1);
    std::filesystem::create_directory(asked_at());
    std::ofstream{std::filesystem::path{asked_at()} / "in the way"};
    start();
    EXPECT_TRUE(eventually([&] { return has_said("the socket for clinicctl cannot be made"); }));
    EXPECT_TRUE(eventually([&] { return has_said("started"); }));
}

// The one thing that keeps patient data from the program with the network.
TEST_F(Syncd, SaysWhetherTheRecordsAreOpenToIt) {
    write_configuration(1, folder / "nothing there");
    start();
    EXPECT_TRUE(eventually([&] { return has_said("the records are closed to this user"); }));
    kill(pid, SIGKILL);
    exit_code();
    write_configuration(1, folder.path());
    start();
    EXPECT_TRUE(eventually([&] { return has_said("the records folder can be opened by this user"); }));
    EXPECT_FALSE(has_said("the records are closed"));
}

TEST_F(Syncd, SaysHowItIsCalledAndWhatIsWrongWithItsConfiguration) {
    for (const std::vector<std::string>& wrong :
         {std::vector<std::string>{}, {"--config"}, {"--configuration", "x"}, {"--config", "x", "y"}}) {
        start(wrong);
        EXPECT_EQ(exit_code(), 64);
        EXPECT_TRUE(has_said("usage: clinic-syncd --config FILE"));
    }
    start({"--config", (folder / "nothing").string()});
    EXPECT_EQ(exit_code(), 78);
    write_configuration(1);
    std::filesystem::remove(folder / "credential");
    start();
    EXPECT_EQ(exit_code(), 78) << "without its key it does not come up";
    std::ofstream{folder / "credential"} << "not a key";
    start();
    EXPECT_EQ(exit_code(), 78);
}

} // namespace
} // namespace clinic::sync
