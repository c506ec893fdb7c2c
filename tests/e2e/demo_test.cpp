// The README's first command as a newcomer gives it: in the foreground, with the demo clinic's day, ended by Ctrl-C.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include "packaging/demo/day.h"
#include "tests/e2e/box.h"
#include "tests/support/campaign.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class Demo : public testing::Test {
protected:
    void SetUp() override {
        std::filesystem::permissions(folder_.path(), std::filesystem::perms{0711});
        std::string base = std::to_string(free_port_base());
        std::string program = CLINIC_SOURCE_DIR "/packaging/try", dir = "--dir", port_base = "--port-base";
        std::string folder = folder_.path().string();
        char* arguments[] = {program.data(), dir.data(), folder.data(), port_base.data(), base.data(), nullptr};
        posix_spawnattr_t how;
        posix_spawnattr_init(&how);
        sigset_t heard;
        sigemptyset(&heard);
        sigaddset(&heard, SIGINT); // who starts us may have ignored it
        posix_spawnattr_setsigdefault(&how, &heard);
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF);
        EXPECT_EQ(posix_spawn(&pid_, program.c_str(), nullptr, &how, arguments, environ), 0);
        posix_spawnattr_destroy(&how);
    }
    void TearDown() override { run(CLINIC_SOURCE_DIR "/packaging/try stop --dir " + folder_.path().string()); }
    std::string page(const char* path) const {
        std::ifstream in{folder_ / "endpoints.json"};
        const auto endpoints = json::parse(in, nullptr, false);
        if (!endpoints.is_object()) return {};
        return run("curl --silent --fail --max-time 5 --cacert " + endpoints.value("console_ca", "") + " " +
                   endpoints.value("console", "") + path)
            .out;
    }
    json status() const { return json::parse(page("/api/v1/status"), nullptr, false); }

    fakes::TempFolder folder_;
    pid_t pid_ = -1;
};

TEST_F(Demo, ItsDayFlowsAndCtrlCLeavesNothing) {
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(folder_ / "endpoints.json"); }, 120));
    const auto flows = [&] {
        const auto now = status();
        return now.is_object() && now.at("intake").at("mllp").at("stored") >= 3 &&
               now.at("egress").at("crm").at("delivered") >= 1;
    };
    EXPECT_TRUE(eventually(flows, 60));
    EXPECT_EQ(status().at("well"), "well");
    kill(pid_, SIGINT);
    int ended = 0;
    ASSERT_EQ(waitpid(pid_, &ended, 0), pid_);
    EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    EXPECT_TRUE(processes_of(folder_.path()).empty());
    EXPECT_FALSE(std::filesystem::exists(folder_ / "endpoints.json"));
}

double metric(const Box& box, const std::string& name) {
    const std::string metrics = box.page("/metrics");
    const auto at = metrics.find('\n' + name + ' ');
    EXPECT_NE(at, std::string::npos) << name;
    return at == std::string::npos ? 0 : std::stod(metrics.substr(at + name.size() + 2));
}

// Of all look-ups of pseudonymous rows from the start of clinicd to the evening. Long: at the day's own pace, half an
// hour in which rows get old; plain: as fast as the box takes it.
TEST(DemoDay, NineOfTenLookUpsOfTheWholeDayAreServedFromMemory) {
    const Box box;
    demo::Day day{static_cast<std::uint32_t>(std::time(nullptr)), std::time(nullptr)};
    for (int sent = 0; sent < demo::Day::messages; ++sent) {
        ASSERT_NE(box.send(day.next(std::time(nullptr))).find("MSA|AA|"), std::string::npos) << sent;
        if (support::long_run() && sent >= 2 * demo::Day::people) std::this_thread::sleep_for(std::chrono::seconds{3});
    }
    int looks = 0;
    const auto look = [&] {
        ++looks;
        return box.status().at("egress").at("crm");
    };
    const auto told = [&] {
        const auto crm = look();
        return crm.at("delivered") > 0 && crm.at("pending") == 0 && crm.at("leased") == 0;
    };
    EXPECT_TRUE(eventually(told, 300));

    const double before = metric(box, "clinic_store_cache_hits_total");
    look();
    const double all = metric(box, "clinic_store_cache_hits_total");
    const double hits = all - (all - before) * looks; // what these looks were served is not the day's
    const double misses = metric(box, "clinic_store_cache_misses_total");
    std::printf("served from memory: %.0f of %.0f look-ups, %.3f\n", hits, hits + misses, hits / (hits + misses));
    EXPECT_GT(hits, 1'000);
    EXPECT_GT(hits / (hits + misses), 0.9);
}

} // namespace
} // namespace clinic::e2e
