// The README's first command as a newcomer gives it: in the foreground, with the demo clinic's day, ended by Ctrl-C.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/e2e/box.h"

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
    // Of the look-ups of pseudonymous rows, how many were served from memory; -1: there was none.
    double hit_rate() const {
        const std::string metrics = page("/metrics");
        const auto value = [&](const std::string& name) {
            const auto at = metrics.find('\n' + name + ' ');
            return at == std::string::npos ? 0.0 : std::stod(metrics.substr(at + name.size() + 2));
        };
        const double hits = value("clinic_store_cache_hits_total"),
                     all = hits + value("clinic_store_cache_misses_total");
        return all == 0 ? -1 : hits / all;
    }

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
    EXPECT_TRUE(eventually([&] { return hit_rate() > 0.9; }, 60)) << hit_rate();
    std::printf("served from memory: %.3f\n", hit_rate());
    kill(pid_, SIGINT);
    int ended = 0;
    ASSERT_EQ(waitpid(pid_, &ended, 0), pid_);
    EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    EXPECT_TRUE(processes_of(folder_.path()).empty());
    EXPECT_FALSE(std::filesystem::exists(folder_ / "endpoints.json"));
}

} // namespace
} // namespace clinic::e2e
