// What people change of the running box: no change without its entry, by whom and why, also while the records are
// closed.
#include "daemon/change_desk.h"

#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/daemon/intake/desk.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uid_t operator_uid = 1'000, other_uid = 1'001;

class ChangeDeskTest : public testing::Test {
protected:
    ChangeDeskTest() { write_settings({"192.0.2.1"}); }

    void write_settings(const json& allow, const std::string& box = "box-1") {
        std::ofstream{settings} << json{{"box", box},
                                        {"zone", "UTC"},
                                        {"records", "/var/lib/records"},
                                        {"credential", "/run/store.key"},
                                        {"operators", {0}},
                                        {"console", {{"certificate", "/etc/console.pem"}, {"key", "/etc/console.key"}}},
                                        {"mllp", {{"allow", allow}}},
                                        {"ghl",
                                         {{"location", "LOC1"},
                                          {"tag_prefix", "ce-"},
                                          {"fields",
                                           {{"pid", "a"},
                                            {"stage", "b"},
                                            {"last", "c"},
                                            {"next", "d"},
                                            {"appt_status", "e"},
                                            {"appt_when", "f"}}}}}};
    }
    ChangeDesk made() {
        const auto read = read_options(settings);
        EXPECT_TRUE(read);
        options = *read;
        return ChangeDesk{{health, *desk.feeds, options, settings}, desk.clock};
    }
    bool drained() const { return health.drained(health::Surface::mllp); }
    // 192.0.2.LAST
    bool admits(std::uint8_t last) const {
        return desk.feeds->table()->admits({.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last}});
    }
    // "1000 drain_begin a new switch", oldest first.
    std::vector<std::string> entries() {
        std::vector<std::string> said;
        EXPECT_TRUE(desk.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto links = audit::Trail::links(session, 0, 200);
            CLINIC_TRY(links);
            for (const auto& link : *links)
                if (static_cast<audit::Action>(link.action) == audit::Action::configure)
                    said.push_back(std::to_string(link.actor_id) + " " + link.detail);
            return {};
        }));
        return said;
    }

    intake::testing::Desk desk;
    fakes::TempFolder folder;
    const std::filesystem::path settings = folder / "clinicd.json";
    Options options;
    health::Health health{{.box = "box-1", .version = "0.1.0", .records = folder.path()}, desk.clock};
};

TEST_F(ChangeDeskTest, SaysWhoAndWhyBeforeItIsDone) {
    auto changes = made();
    changes.opened(*desk.store);
    ASSERT_TRUE(changes.drain(operator_uid, true, "a new switch"));
    EXPECT_TRUE(drained());
    ASSERT_TRUE(changes.drain(other_uid, false)); // by the bus: without a reason
    EXPECT_FALSE(drained());
    write_settings({"192.0.2.9"}, "box-2");
    const auto waiting = changes.reload(operator_uid, "another sender");
    ASSERT_TRUE(waiting);
    EXPECT_THAT(*waiting, ElementsAre("box"));
    EXPECT_TRUE(admits(9));
    EXPECT_FALSE(admits(1));
    EXPECT_THAT(entries(),
                ElementsAre("1000 drain_begin a new switch", "1001 drain_end", "1000 settings_reload another sender"));
}

TEST_F(ChangeDeskTest, WhatIsNotTakenChangesNothingAndHasNoEntry) {
    auto changes = made();
    changes.opened(*desk.store);
    auto commands = changes.commands();
    const auto code = [&](const char* command, const json& args) {
        const auto answer = commands.at(command).run({.args = args, .body = {}, .asker = operator_uid});
        EXPECT_FALSE(answer) << command << args;
        return answer ? Errc::unknown : answer.error().code;
    };
    EXPECT_EQ(code("drain", {{"what", "begin"}}), Errc::refused) << "without a reason";
    EXPECT_EQ(code("drain", {{"what", "perhaps"}, {"reason", "a new switch"}}), Errc::malformed);
    EXPECT_EQ(code("reload", json::object()), Errc::refused);
    std::ofstream{settings} << "{}";
    testing::internal::CaptureStderr();
    EXPECT_EQ(code("reload", {{"reason", "another sender"}}), Errc::malformed);
    EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr(settings.string()));
    EXPECT_FALSE(drained());
    EXPECT_THAT(entries(), IsEmpty());
}

// The bus and clinicctl serve while the records are closed: the entries are written when they open.
TEST_F(ChangeDeskTest, AChangeWhileTheRecordsAreClosedComesIntoTheChainWhenTheyOpen) {
    auto changes = made();
    ASSERT_TRUE(changes.drain(operator_uid, true, "a new disk"));
    EXPECT_TRUE(drained());
    ASSERT_TRUE(changes.reload(other_uid));
    EXPECT_THAT(entries(), IsEmpty());
    const std::string then = base::rfc3339(desk.clock.now());
    desk.clock.advance(std::chrono::hours{5});
    changes.opened(*desk.store);
    const auto late =
        testing::ElementsAre("1000 drain_begin at " + then + ": a new disk", "1001 settings_reload at " + then);
    EXPECT_THAT(entries(), late);
    changes.closed();
    changes.opened(*desk.store);
    EXPECT_THAT(entries(), late) << "once";
}

TEST_F(ChangeDeskTest, SoManyChangesWaitAndBeyondThemNoneIsMade) {
    auto changes = made();
    for (std::size_t i = 0; i < ChangeDesk::waiting_max; ++i) ASSERT_TRUE(changes.drain(operator_uid, false));
    const auto one_more = changes.drain(operator_uid, true);
    ASSERT_FALSE(one_more);
    EXPECT_EQ(one_more.error().code, Errc::full);
    EXPECT_FALSE(drained());
    changes.opened(*desk.store);
    EXPECT_EQ(entries().size(), ChangeDesk::waiting_max);
    EXPECT_TRUE(changes.drain(operator_uid, true));
    EXPECT_TRUE(drained());
}

} // namespace
} // namespace clinic::daemon
