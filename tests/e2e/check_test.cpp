// `clinicctl check` on a whole box: nothing of it ails, and what is done to it is named at its root.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <set>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class Check : public testing::Test {
protected:
    static void SetUpTestSuite() { box_ = std::make_unique<Box>(); }
    static void TearDownTestSuite() { box_.reset(); }
    static Box& box() { return *box_; }

    static json check() {
        const std::string etc = box().folder().string() + "/etc/";
        return json::parse(
            box().ctl("check --json --settings " + etc + "clinicd.json --sync-settings " + etc + "sync.json").out,
            nullptr, false);
    }
    static json one(const json& report, const std::string& id) {
        for (const auto& check : report.value("checks", json::array()))
            if (check.at("id") == id) return check;
        return json::object();
    }
    static std::string result(const json& report, const std::string& id) {
        return one(report, id).value("result", std::string{});
    }
    // Asked again and again until that check has that result; the report.
    static json until(const std::string& id, const std::string& wanted) {
        json report;
        EXPECT_TRUE(eventually(
            [&] {
                report = check();
                return result(report, id) == wanted;
            },
            90))
            << one(report, id).dump();
        return report;
    }
    // For as long as the program is stopped.
    static json while_stopped(const std::string& program, const std::string& id) {
        const auto stopped = box().pids(program);
        EXPECT_FALSE(stopped.empty());
        for (const pid_t process : stopped) kill(process, SIGSTOP);
        auto report = until(id, "fail");
        for (const pid_t process : stopped) kill(process, SIGCONT);
        return report;
    }

    static inline std::unique_ptr<Box> box_;
};

// What the machine of the test is like is not the box's: its clock, its package, its systemd.
TEST_F(Check, NothingOfABoxThatIsWellAils) {
    EXPECT_EQ(result(until("mqtt.open", "ok"), "keys.recovery"), "warn") << "a new box has no paper yet";
    const auto words =
        box().ctl("keys recovery begin --reason 'a test of the checks' < /dev/null 2> /dev/null; exit $?");
    ASSERT_EQ(words.exit, 0);
    ASSERT_EQ(box().ctl_with_file("keys recovery confirm < {}", words.out).exit, 0);
    const auto report = until("mqtt.open", "ok");
    const std::set<std::string> machines{"package.state", "package.others"};
    for (const auto& check : report.at("checks")) {
        const std::string id = check.at("id"), group = check.at("group");
        if (machines.contains(id) || (group != "setup" && group != "keys" && group != "box" && group != "delivery"))
            continue;
        // Where nobody is root one user runs both, and nobody sees it all from outside.
        if (geteuid() != 0 && (id == "setup.users" || id.starts_with("containment"))) continue;
        EXPECT_EQ(check.at("result"), "ok") << check.dump();
    }
    EXPECT_GE(report.at("checks").size(), 40U);
}

TEST_F(Check, ATokenThatGhlDoesNotAcceptIsNamed) {
    const auto token = box().folder() / "keys/ghl.token";
    std::string before;
    std::getline(std::ifstream{token}, before);
    std::ofstream{token} << "pit-wrong\n";
    const auto report = until("ghl.accepted", "fail");
    EXPECT_EQ(result(report, "ghl.tls"), "ok");
    EXPECT_EQ(one(report, "queue.age").value("root", json{}), "ghl.accepted");
    EXPECT_EQ(report.dump().find("pit-wrong"), std::string::npos);
    std::ofstream{token} << before << "\n";
    until("ghl.open", "ok");
}

TEST_F(Check, WhoIsSilentIsNamedAndHidesNobodyElse) {
    const auto broker = while_stopped("mosquitto", "mqtt.tls");
    EXPECT_EQ(result(broker, "mqtt.reached"), "ok");
    EXPECT_EQ(result(broker, "ghl.open"), "ok");
    const auto ghl = while_stopped("ghl-emulator", "ghl.tls");
    EXPECT_EQ(one(ghl, "ghl.accepted").value("root", json{}), "ghl.tls");
    const auto syncd = while_stopped("clinic-syncd", "syncd.answers");
    EXPECT_EQ(one(syncd, "ghl.open").value("root", json{}), "syncd.answers");
    EXPECT_LT(syncd.at("took_ms").get<int>(), 20'000) << "nobody waits for long in front of it";
    const auto clinicd = while_stopped("clinicd", "clinicd.answers");
    EXPECT_EQ(one(clinicd, "store.books").value("root", json{}), "clinicd.answers");
    EXPECT_EQ(result(clinicd, "disk.space"), "ok");
    until("ghl.open", "ok");
}

} // namespace
} // namespace clinic::e2e
