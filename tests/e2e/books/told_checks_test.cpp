// What clinicctl check finds on a whole box: on the page, in the status and at central ops within seconds of being
// told, and taken back when it has gone.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/books/central_ops.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr int seconds_to_page = 2, seconds_to_central_ops = 10;

Ran tell(const Box& box) {
    const std::string etc = box.folder().string() + "/etc/";
    return box.ctl("check --tell --settings " + etc + "clinicd.json --sync-settings " + etc + "sync.json");
}

bool needs(const Box& box, const std::string& code) {
    const auto status = box.status();
    for (const auto& need : status.at("needs"))
        if (need.at("code") == code) return true;
    return false;
}

// The severities under which central ops heard of it, in order.
std::vector<std::string> heard(const Watcher& central_ops, const std::string& code) {
    std::vector<std::string> all;
    for (const auto& one : central_ops.messages())
        if (one.at("type") == "event" && one.at("data").at("code") == code)
            all.push_back(one.at("data").at("severity"));
    return all;
}

TEST(ToldChecks, AFaultIsOnThePageAndAtTheBrokerUntilItHasGone) {
    const Box box;
    const Watcher central_ops{box};
    EXPECT_TRUE(box.status().at("checks").at("at").is_null());
    const auto well = tell(box);
    EXPECT_EQ(well.out, "") << "what was seen is not said to whoever starts it";
    EXPECT_FALSE(needs(box, "E4104"));

    fs::permissions(box.folder() / "records", fs::perms::others_read | fs::perms::others_exec, fs::perm_options::add);
    tell(box);
    EXPECT_TRUE(eventually([&] { return needs(box, "E4104"); }, seconds_to_page));
    const auto said = box.status().at("checks");
    bool found = false;
    for (const auto& one : said.at("ailing")) found = found || one.at("id") == "setup.records";
    EXPECT_TRUE(found) << said.dump();
    EXPECT_NE(box.page("/").find("/help/E4104"), std::string::npos);
    EXPECT_NE(box.page("/help/E4104").find("folder is not as it should be"), std::string::npos);
    const auto raised = [&] { return heard(central_ops, "E4104").size() == 1; };
    EXPECT_TRUE(eventually(raised, seconds_to_central_ops));
    tell(box);

    fs::permissions(box.folder() / "records", fs::perms::owner_all);
    tell(box);
    EXPECT_TRUE(eventually([&] { return !needs(box, "E4104"); }, seconds_to_page));
    tell(box);
    const auto taken_back = [&] { return heard(central_ops, "E4104").size() == 2; };
    EXPECT_TRUE(eventually(taken_back, seconds_to_central_ops));
    const auto all = heard(central_ops, "E4104");
    ASSERT_EQ(all.size(), 2U);
    EXPECT_NE(all[0], "info");
    EXPECT_EQ(all[1], "info");
}

} // namespace
} // namespace clinic::e2e
