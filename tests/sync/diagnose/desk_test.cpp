// What clinic-syncd says when it is asked, over its real socket.
#include "sync/diagnose/desk.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

#include "tests/fakes/eventually.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::diagnose {
namespace {

struct Asked : testing::Test {
    fakes::TempFolder folder;
    fakes::ManualClock clock;
    lane::Board board{clock};
    support::Authority authority{folder.path(), "authority"};
    support::ScriptedHttps server{authority.issue("ghl", "IP:127.0.0.1"),
                                  [](const support::Received&) { return support::answer(200, "{}"); }};
    std::atomic<int> probes{0};
    std::atomic<bool> answers{true};
    std::string socket = (folder / "ask.sock").string();
    Desk desk{{.socket = socket, .ghl = Far{"127.0.0.1", server.port(), authority.pem()}, .mqtt = {}, .bounds = {}},
              board,
              clock,
              [this](base::Micros, const std::stop_token&) {
                  ++probes;
                  return answers.load();
              }};
    std::jthread thread;

    void SetUp() override {
        ASSERT_TRUE(desk.open());
        thread = std::jthread{[this](std::stop_token stop) { desk.run(std::move(stop)); }};
    }
};

TEST_F(Asked, SaysHowTheLanesAreAndHowFarTheWaysAreOpen) {
    board.crm(envelope::LaneState::down, "unauthorized");
    const auto said = ask(socket, 10);
    ASSERT_TRUE(said) << said.error().what.c_str();
    EXPECT_EQ(said->ghl.tls, Step::ok);
    EXPECT_EQ(said->ghl.issuer, "authority");
    EXPECT_EQ(said->ghl.state, "down");
    EXPECT_EQ(said->ghl.code, "unauthorized");
    EXPECT_TRUE(said->verdict);
    EXPECT_FALSE(said->mqtt.configured);
    EXPECT_EQ(said->mqtt.code, "not_configured");
    EXPECT_TRUE(server.received().empty()) << "the lane's own prober asks, nobody else";
}

TEST_F(Asked, HasGhlAskedOnceInAWhile) {
    ASSERT_TRUE(ask(socket, 10));
    ASSERT_TRUE(ask(socket, 10));
    EXPECT_EQ(probes, 1);
    clock.advance(std::chrono::seconds{6});
    answers = false;
    const auto said = ask(socket, 10);
    ASSERT_TRUE(said);
    EXPECT_FALSE(said->verdict);
    EXPECT_EQ(probes, 2);
}

TEST_F(Asked, AnotherQuestionIsNotAnswered) {
    const base::UniqueFd caller{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(connect(caller.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string other = R"({"v":1,"ask":"tokens"})";
    ASSERT_GT(send(caller.get(), other.data(), other.size(), 0), 0);
    std::array<char, 64> answer{};
    EXPECT_EQ(recv(caller.get(), answer.data(), answer.size(), 0), 0) << "it hangs up";
    EXPECT_TRUE(ask(socket, 10)) << "and goes on";
}

TEST_F(Asked, AnotherUserIsNotAnswered) {
    if (geteuid() != 0) GTEST_SKIP() << "to become another user needs root";
    const pid_t child = fork();
    if (child == 0) {
        const bool became = chmod(folder.path().c_str(), 0755) == 0 && setgid(61'703) == 0 && setuid(61'703) == 0;
        const auto said = ask(socket, 10);
        _exit(became && !said && said.error().code == Errc::unauthorized ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(Asked, NobodyThereIsSaid) {
    EXPECT_EQ(ask((folder / "nothing").string(), 1).error().code, Errc::not_found);
}

TEST(Said, ComesBackAsItWasWritten) {
    const Said said{{.configured = true,
                     .host = "services.leadconnectorhq.com",
                     .port = 443,
                     .dns = Step::ok,
                     .tcp = Step::ok,
                     .tls = Step::issuer,
                     .issuer = "Corp, Firewall CA",
                     .days_left = 12,
                     .state = "down",
                     .code = "certificate"},
                    {.code = "not_configured"},
                    false};
    const auto back = read(write(said));
    ASSERT_TRUE(back);
    EXPECT_EQ(write(*back), write(said));
    EXPECT_EQ(back->ghl.tls, Step::issuer);
    EXPECT_FALSE(back->verdict);
}

TEST(Said, IsClosed) {
    const std::string good = write({});
    ASSERT_TRUE(read(good));
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return read(text);
    };
    EXPECT_FALSE(with("not_tried", "tried"));
    EXPECT_FALSE(with(R"("code":"")", R"("code":"A name")"));
    EXPECT_FALSE(with(R"("state":"")", R"("state":"open")"));
    EXPECT_FALSE(with(R"("port":0)", R"("port":-1)"));
    EXPECT_FALSE(with(R"("v":1)", R"("v":2)"));
    EXPECT_FALSE(with(R"("v":1)", R"("v":1,"body":"x")"));
    EXPECT_FALSE(read("{"));
}

TEST(Said, AnIssuersNameIsCutAndPlain) {
    EXPECT_EQ(plain("Acme \x1b[31m\"CA\"\xc3\xa9"), "Acme ?[31m?CA???");
    Way way;
    way.configured = true;
    way.host = std::string(255, 'h');
    way.issuer = std::string(500, '\n');
    EXPECT_LT(write({way, way, true}).size(), answer_bytes_max);
    EXPECT_TRUE(read(write({way, way, true})));
}

} // namespace
} // namespace clinic::diagnose
