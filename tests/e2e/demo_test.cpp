// The README's first command as a newcomer gives it: in the foreground, with the demo clinic's day, ended by Ctrl-C.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

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
    json status() const {
        std::ifstream in{folder_ / "endpoints.json"};
        const auto endpoints = json::parse(in, nullptr, false);
        if (!endpoints.is_object()) return {};
        const auto answer = run("curl --silent --fail --max-time 5 --cacert " + endpoints.value("console_ca", "") +
                                " " + endpoints.value("console", "") + "/api/v1/status");
        return json::parse(answer.out, nullptr, false);
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
    kill(pid_, SIGINT);
    int ended = 0;
    ASSERT_EQ(waitpid(pid_, &ended, 0), pid_);
    EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0);
    EXPECT_TRUE(processes_of(folder_.path()).empty());
    EXPECT_FALSE(std::filesystem::exists(folder_ / "endpoints.json"));
}

} // namespace
} // namespace clinic::e2e
