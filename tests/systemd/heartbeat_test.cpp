// What the service manager hears, over the socket that it would have given us.
#include "systemd/heartbeat.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <string>

#include "crypto/base/owned.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::systemd {
namespace {

using namespace std::chrono_literals;

class HeartbeatToTheManager : public testing::Test {
protected:
    void SetUp() override {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = folder_ / "notify";
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(bind(manager_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        setenv("NOTIFY_SOCKET", path.c_str(), 1);
        setenv("WATCHDOG_USEC", "60000000", 1);
        unsetenv("WATCHDOG_PID");
    }
    void TearDown() override {
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
    }
    std::string heard() const {
        std::array<char, 64> text{};
        const auto got = recv(manager_.get(), text.data(), text.size(), MSG_DONTWAIT);
        return got > 0 ? std::string{text.data(), static_cast<std::size_t>(got)} : "";
    }

    const fakes::TempFolder folder_;
    const base::UniqueFd manager_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    fakes::ManualClock clock_;
    base::Vitals vitals_{clock_};
};

TEST_F(HeartbeatToTheManager, IsFedWhileEveryWorkerChecksIn) {
    const auto notifier = Notifier::open();
    EXPECT_EQ(notifier.watchdog_patience(), 60s);
    const auto writer = vitals_.join("writer", 10s);
    Heartbeat heart{notifier, vitals_, "test"};
    EXPECT_TRUE(heart.beat());
    EXPECT_EQ(heard(), "WATCHDOG=1");
    clock_.advance(11s);
    EXPECT_FALSE(heart.beat());
    EXPECT_EQ(heard(), "");
    writer.beat();
    EXPECT_TRUE(heart.beat());
    EXPECT_EQ(heard(), "WATCHDOG=1");
}

TEST_F(HeartbeatToTheManager, SaysOnceWhoIsOverdueAndWhenItIsOver) {
    const auto notifier = Notifier::open();
    const auto writer = vitals_.join("the writer of a test", 10s);
    Heartbeat heart{notifier, vitals_, "test"};
    clock_.advance(11s);
    testing::internal::CaptureStderr();
    heart.beat();
    heart.beat();
    writer.beat();
    heart.beat();
    const std::string log = testing::internal::GetCapturedStderr();
    const auto first = log.find("the writer of a test");
    EXPECT_NE(first, std::string::npos);
    EXPECT_EQ(log.find("the writer of a test", first + 1), std::string::npos);
    EXPECT_NE(log.find("every worker checks in again"), std::string::npos);
}

} // namespace
} // namespace clinic::systemd
