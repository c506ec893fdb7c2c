#include "sync/channel/ghl/grant.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::hours;

// GHL's token endpoint by its rules: each refresh token and each code is for one use.
class TheGrant : public ::testing::Test {
protected:
    TheGrant() {
        std::ofstream{options_.client_secret_file} << "s3cret &=\n";
        codes_.insert("code-1");
    }

    lane::SealedFile file() const {
        return {folder_ / "grant.sealed", crypto::KeySlot::from_key(crypto::SecureBytes::zeroed(32)), "a test's grant"};
    }
    void start() {
        grant_.emplace(
            options_, file(),
            [this](const std::string& path, const char*, const std::string& body, const std::stop_token&) {
                return answer(path, body);
            },
            clock_);
    }
    void authorized() {
        start();
        ASSERT_TRUE(grant_->authorize("code-1", {}));
        grant_->accepted(shown());
    }
    std::string shown() {
        const auto bearer = grant_->bearer(For::work, {});
        return bearer ? *bearer : "";
    }
    Posted answer(const std::string& path, const std::string& body) {
        asked_.push_back(path + " " + body);
        if (const auto then = std::exchange(meanwhile_, {})) then();
        if (instead_) return *instead_;
        if (away_) return {};
        if (path == "/oauth/reconnect") {
            if (!reconnects_) return {Posted::Result::answered, 400, R"({"message":"Location is not active"})"};
            codes_.insert("code-r");
            return {Posted::Result::answered, 200, R"({"authorizationCode":"code-r","expiresAt":"later"})"};
        }
        const bool known =
            body.find("grant_type=refresh_token") != std::string::npos ? use(renewals_, body) : use(codes_, body);
        if (!known) return {Posted::Result::answered, 400, R"({"message":"invalid grant"})"};
        const std::string number = std::to_string(++given_);
        renewals_.insert("refresh-" + number);
        const json pair{{"access_token", "access-" + number},
                        {"refresh_token", "refresh-" + number},
                        {"expires_in", 86'399},
                        {"scope", scope_},
                        {"locationId", location_},
                        {"userType", "Location"}};
        if (loses_) return loses_ = false, Posted{Posted::Result::unknown, 0, ""};
        return {Posted::Result::answered, 200, pair.dump()};
    }
    static bool use(std::set<std::string>& valid, const std::string& body) {
        for (const auto& one : valid)
            if (body.find("=" + one + "&") != std::string::npos) return valid.erase(one), true;
        return false;
    }

    fakes::TempFolder folder_;
    fakes::ManualClock clock_;
    GrantOptions options_{.client_id = "app-1",
                          .client_secret_file = folder_ / "secret",
                          .redirect_uri = "https://clinic-edge.local/ghl",
                          .location = "loc1"};
    std::set<std::string> renewals_, codes_;
    std::vector<std::string> asked_;
    std::string location_ = "loc1", scope_ = "locations.readonly contacts.readonly contacts.write";
    int given_ = 0;
    std::function<void()> meanwhile_; // once, while GHL is asked
    std::optional<Posted> instead_;   // of GHL's own answer
    bool away_ = false, loses_ = false, reconnects_ = false;
    std::optional<Grant> grant_;
};

TEST_F(TheGrant, IsAskedForWhereAPersonChoosesTheLocation) {
    EXPECT_EQ(
        authorize_address(options_),
        "https://marketplace.gohighlevel.com/v2/oauth/chooselocation?response_type=code&"
        "redirect_uri=https%3A%2F%2Fclinic-edge.local%2Fghl&client_id=app-1&"
        "scope=locations.readonly%20contacts.readonly%20contacts.write%20locations%2FcustomFields.readonly%20"
        "locations%2FcustomFields.write%20locations%2Ftags.readonly%20opportunities.readonly%20calendars.readonly%20"
        "calendars%2Fevents.readonly");
    options_.wants = {.cases = true, .bookings = true};
    EXPECT_TRUE(authorize_address(options_).ends_with("%20opportunities.write%20calendars%2Fevents.write"));
}

TEST_F(TheGrant, IsMadeOfACodeAndStaysOverARestart) {
    start();
    EXPECT_EQ(grant_->bearer(For::work, {}).error().code, Errc::locked);
    ASSERT_TRUE(grant_->authorize("code-1", {}));
    EXPECT_EQ(asked_.at(0), "/oauth/token client_id=app-1&client_secret=s3cret%20%26%3D&grant_type=authorization_code&"
                            "code=code-1&user_type=Location&redirect_uri=https%3A%2F%2Fclinic-edge.local%2Fghl");
    EXPECT_EQ(shown(), "access-1");
    start();
    EXPECT_EQ(shown(), "access-1");
    EXPECT_EQ(asked_.size(), 1U);
}

TEST_F(TheGrant, OfAnotherLocationIsRefused) {
    start();
    location_ = "loc2";
    EXPECT_EQ(grant_->authorize("code-1", {}).error().code, Errc::refused);
    EXPECT_EQ(shown(), "");
}

TEST_F(TheGrant, IsRenewedAtEightyFivePercentOfItsLife) {
    authorized();
    clock_.advance(20h);
    EXPECT_EQ(shown(), "access-1");
    clock_.advance(1h);
    EXPECT_EQ(shown(), "access-2");
    EXPECT_EQ(shown(), "access-2");
    EXPECT_EQ(given_, 2);
}

TEST_F(TheGrant, IsRenewedWhenGhlRefusesTheToken) {
    authorized();
    EXPECT_TRUE(grant_->refused("access-1"));
    EXPECT_EQ(shown(), "access-2");
}

TEST_F(TheGrant, GoesOnWithWhatItHasWhileGhlIsAway) {
    authorized();
    away_ = true;
    clock_.advance(22h);
    EXPECT_EQ(shown(), "access-1");
    EXPECT_EQ(shown(), "access-1");
    EXPECT_LE(asked_.size(), 3U) << "with a pause between two tries";
    clock_.advance(3h);
    EXPECT_EQ(grant_->bearer(For::work, {}).error().code, Errc::offline);
    away_ = false;
    clock_.advance(10min);
    EXPECT_EQ(shown(), "access-2");
}

// The answer got lost, and with it the only refresh token that is good.
TEST_F(TheGrant, ReconnectsWhereARefreshTokenIsUsedUp) {
    authorized();
    loses_ = reconnects_ = true;
    clock_.advance(22h);
    EXPECT_EQ(shown(), "access-1");
    clock_.advance(10min);
    EXPECT_EQ(shown(), "access-3");
    EXPECT_EQ(asked_.at(3).rfind("/oauth/reconnect {\"clientKey\":\"app-1\"", 0), 0U);
}

TEST_F(TheGrant, IsDeadWhereThatIsRefusedTooAndAsksOnceAnHour) {
    authorized();
    renewals_.clear();
    EXPECT_TRUE(grant_->refused("access-1"));
    EXPECT_EQ(grant_->bearer(For::work, {}).error().code, Errc::locked);
    const auto asked = asked_.size();
    for (int i = 0; i < 600; ++i) {
        clock_.advance(1min);
        EXPECT_EQ(shown(), "");
    }
    EXPECT_LE(asked_.size(), asked + 20) << "a refresh and a reconnection, once an hour";
    start(); // a token that GHL may take yet is shown, and refused
    EXPECT_EQ(grant_->now().state, Grant::State::dead);
    codes_.insert("code-2");
    ASSERT_TRUE(grant_->authorize("code-2", {}));
    EXPECT_NE(shown(), "");
}

// Killed between the answer and its first use, at each write: what is on disk is good for the next one.
TEST_F(TheGrant, KeepsTheOneBeforeUntilTheNewOneHasWorked) {
    authorized();
    clock_.advance(21h);
    ASSERT_EQ(shown(), "access-2");
    EXPECT_EQ(grant_->now().state, Grant::State::untried);
    start();
    ASSERT_EQ(shown(), "access-2");
    away_ = true;
    EXPECT_FALSE(grant_->refused("access-2")) << "somebody has to look";
    EXPECT_EQ(shown(), "access-1") << "it has three hours left";
    away_ = false;
    clock_.advance(10min);
    EXPECT_EQ(shown(), "access-3");
    grant_->accepted("access-3");
    EXPECT_EQ(grant_->now().state, Grant::State::works);
}

// A refresh token is for one use: it is not spent where its successor could not be kept.
TEST_F(TheGrant, AsksForNothingThatItCouldNotKeep) {
    authorized();
    clock_.advance(21h);
    std::filesystem::remove(folder_ / "grant.sealed");
    std::filesystem::create_directory(folder_ / "grant.sealed");
    for (int i = 0; i < 50; ++i) EXPECT_EQ(shown(), "access-1");
    EXPECT_EQ(asked_.size(), 1U);
    std::filesystem::remove(folder_ / "grant.sealed");
    clock_.advance(10min);
    EXPECT_EQ(shown(), "access-2");
}

TEST_F(TheGrant, WhatCannotBeStoredWaitsAndIsNotUsed) {
    authorized();
    clock_.advance(21h);
    meanwhile_ = [this] {
        std::filesystem::remove(folder_ / "grant.sealed");
        std::filesystem::create_directory(folder_ / "grant.sealed");
    };
    for (int i = 0; i < 50; ++i) EXPECT_EQ(shown(), "access-1");
    EXPECT_EQ(given_, 2);
    std::filesystem::remove(folder_ / "grant.sealed");
    clock_.advance(10min);
    EXPECT_EQ(shown(), "access-2") << "the very one that was given";
    EXPECT_EQ(given_, 2);
}

// The code is for one use: what it gave waits for the room that a person makes.
TEST_F(TheGrant, TheFirstThatCannotBeStoredWaitsToo) {
    start();
    std::filesystem::create_directory(folder_ / "grant.sealed");
    EXPECT_FALSE(grant_->authorize("code-1", {}));
    EXPECT_EQ(grant_->bearer(For::work, {}).error().code, Errc::offline);
    std::filesystem::remove(folder_ / "grant.sealed");
    clock_.advance(10min);
    EXPECT_EQ(shown(), "access-1");
    EXPECT_EQ(given_, 1);
    start();
    EXPECT_EQ(shown(), "access-1");
}

// Of a portal, a firewall, or an app whose secret is being changed: none is GHL's word about this grant.
TEST_F(TheGrant, IsKilledByNoAnswerButGhlsOwn) {
    for (const Posted& other :
         {Posted{Posted::Result::answered, 403, "<html>blocked</html>"},
          Posted{Posted::Result::answered, 400, "<html>portal</html>"}, Posted{Posted::Result::answered, 403, "{}"},
          Posted{Posted::Result::answered, 401, R"({"message":"Invalid client credentials!"})"},
          Posted{Posted::Result::answered, 429, "{}"}, Posted{Posted::Result::answered, 500, ""}}) {
        codes_.insert("code-1");
        authorized();
        const auto in_use = shown();
        EXPECT_TRUE(grant_->refused(in_use));
        instead_ = other;
        EXPECT_EQ(shown(), "") << other.status;
        EXPECT_NE(grant_->now().state, Grant::State::dead) << other.status;
        instead_.reset();
        clock_.advance(10min);
        EXPECT_NE(shown(), "") << other.status;
    }
}

TEST_F(TheGrant, AnAuthorizationThatComesInBetweenStands) {
    authorized();
    EXPECT_TRUE(grant_->refused("access-1"));
    renewals_.clear();
    codes_.insert("code-2");
    meanwhile_ = [this] { EXPECT_TRUE(grant_->authorize("code-2", {})); };
    EXPECT_EQ(shown(), "access-2");
    EXPECT_NE(grant_->now().state, Grant::State::dead);
}

TEST_F(TheGrant, TokensThatGhlGivesAndDoesNotTakeAreNoStorm) {
    authorized();
    for (int i = 0; i < 100; ++i)
        if (const auto one = shown(); !one.empty()) grant_->refused(one);
    EXPECT_LE(given_, 4);
}

TEST_F(TheGrant, IsFetchedByOneOfManyWhoNeedIt) {
    authorized();
    EXPECT_TRUE(grant_->refused("access-1"));
    std::vector<std::jthread> all;
    std::mutex mutex;
    std::set<std::string> seen;
    for (int i = 0; i < 8; ++i)
        all.emplace_back([&] {
            const auto one = shown();
            const std::lock_guard lock{mutex};
            seen.insert(one);
        });
    all.clear();
    EXPECT_EQ(seen, std::set<std::string>{"access-2"});
    EXPECT_EQ(given_, 2);
}

TEST_F(TheGrant, NamesEachScopeThatIsMissingWithWhatItIsFor) {
    scope_ = "contacts.readonly locations/customFields.readonly locations/customFields.write locations/tags.readonly "
             "opportunities.readonly calendars.readonly calendars/events.readonly calendars/events.write";
    start();
    ASSERT_TRUE(grant_->authorize("code-1", {}));
    const auto missing = grant_->now().missing;
    ASSERT_EQ(missing.size(), 2U);
    EXPECT_STREQ(missing[0].scope.c_str(), "locations.readonly");
    EXPECT_STREQ(missing[1].scope.c_str(), "contacts.write");
    for (const auto& one : missing) EXPECT_STRNE(one.feature.c_str(), "");
    options_.wants = {.cases = true, .bookings = true};
    start();
    const auto with_cases = grant_->now().missing;
    ASSERT_EQ(with_cases.size(), 3U);
    EXPECT_STREQ(with_cases[2].scope.c_str(), "opportunities.write");
}

} // namespace
} // namespace clinic::ghl
