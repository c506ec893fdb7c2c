#include "daemon/intake/feeds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using nlohmann::json;
using testing::Desk;

Address ip4(std::uint8_t last) {
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, last};
}

std::shared_ptr<const FeedTable> table(std::vector<FeedSettings> feeds, const std::vector<std::string>& listed = {}) {
    auto made = FeedTable::make(listed, std::move(feeds));
    EXPECT_TRUE(made);
    return made ? *made : nullptr;
}

std::string found(const FeedTable& table, const Peer& peer, std::string_view header = "MSH|^~\\&|APP|FAC|") {
    const auto read = read_header(header);
    const auto* feed = table.find(peer, read ? &*read : nullptr);
    return feed != nullptr ? feed->name : "";
}

TEST(FeedTable, FindsASenderByAddressAndByWhatItCallsItself) {
    const auto all = table({{.name = "building", .addresses = {"10.0.0.0/24"}},
                            {.name = "lab", .addresses = {"10.0.0.0/24"}, .sender = "LAB|FAC"},
                            {.name = "desk", .addresses = {"10.0.0.9"}, .sender = "OTHER|FAC"}});
    EXPECT_EQ(found(*all, {.address = ip4(9)}), "building");
    EXPECT_EQ(found(*all, {.address = ip4(9)}, "MSH|^~\\&|LAB|FAC|"), "lab") << "one that names it comes first";
    EXPECT_EQ(found(*all, {.address = ip4(9)}, "not HL7"), "building");
    EXPECT_EQ(found(*all, {.address = {1}}), "");
    EXPECT_TRUE(all->admits({.address = ip4(200)}));
    EXPECT_FALSE(all->admits({.address = {1}}));
}

TEST(FeedTable, TakesACertificateForAName) {
    const auto all = table({{.name = "pms", .addresses = {"10.0.0.7"}},
                            {.name = "cloud", .certificate = "hl7.vendor.example"},
                            {.name = "tied", .addresses = {"10.0.0.8"}, .certificate = "tied-client"}});
    const Peer by_name{.address = ip4(7), .secured = true, .names = {"pms"}};
    EXPECT_EQ(found(*all, by_name), "pms");
    EXPECT_EQ(found(*all, {.address = ip4(50), .secured = true, .names = {"x", "hl7.vendor.example"}}), "cloud");
    EXPECT_FALSE(all->admits({.address = ip4(50), .secured = true, .names = {"pms"}})) << "not from there";
    EXPECT_FALSE(all->admits({.address = ip4(50), .secured = true, .names = {"somebody"}}));
    EXPECT_FALSE(all->admits({.address = ip4(8)})) << "that address needs its certificate";
    EXPECT_TRUE(all->admits({.address = ip4(8), .secured = true, .names = {"tied-client"}}));
    EXPECT_FALSE(all->admits({.address = ip4(50), .names = {"hl7.vendor.example"}})) << "a name that nobody checked";
    EXPECT_TRUE(all->may_knock(ip4(50))) << "its certificate is not known yet";
    EXPECT_FALSE(table({{.name = "pms", .addresses = {"10.0.0.7"}}})->may_knock(ip4(50)));
}

TEST(Feeds, TheListIsChangedWhileRunning) {
    const auto feeds = Feeds::make({"10.0.0.1"});
    ASSERT_TRUE(feeds);
    EXPECT_TRUE((*feeds)->table()->admits({.address = ip4(1)}));
    ASSERT_TRUE((*feeds)->relist({"10.0.0.2"}));
    EXPECT_FALSE((*feeds)->table()->admits({.address = ip4(1)}));
    EXPECT_TRUE((*feeds)->table()->admits({.address = ip4(2)}));
    const auto wrong = (*feeds)->relist({"10.0.0.3", "nowhere"});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::malformed);
    EXPECT_TRUE((*feeds)->table()->admits({.address = ip4(2)})) << "nothing has changed";
}

TEST(FeedTable, LetsInTheListedWithoutAName) {
    const auto all = table({}, {"10.0.0.0/24"});
    EXPECT_TRUE(all->admits({.address = ip4(7)}));
    EXPECT_EQ(found(*all, {.address = ip4(7)}), "");
    EXPECT_FALSE(FeedTable::make({"10.0.0.0/40"}, {}));
}

TEST(FeedSettings, ComeBackFromTheirJson) {
    FeedSettings feed;
    const json said{{"name", "pms"},
                    {"addresses", {"10.0.0.7", "fd00::/8"}},
                    {"certificate", "pms.clinic"},
                    {"sender", "APP|FAC"},
                    {"character_set", "8859/2"},
                    {"acknowledgement", "silent"},
                    {"preadmit", "appointment"},
                    {"status_words", {{"Roomed In", "arrived"}, {"gone", "completed"}}},
                    {"expect", "2h"},
                    {"hours", "mon-fri 08:00-18:00"},
                    {"expected_since_us", 1'700'000'000'000'000}};
    ASSERT_TRUE(apply(feed, said));
    ASSERT_TRUE(check(feed));
    EXPECT_TRUE(feed.rules.preadmit_is_appointment);
    json kept = said;
    kept["status_words"] = {{"roomedin", "arrived"}, {"gone", "completed"}};
    EXPECT_EQ(to_json(feed), kept);
    EXPECT_EQ(feed.expected.within, std::chrono::hours{2});
    ASSERT_TRUE(apply(feed, {{"status_words", {{"gone", nullptr}}}, {"addresses", json::array()}}));
    EXPECT_EQ(feed.rules.status_words.size(), 1U) << "and what is not named stays";
    EXPECT_EQ(feed.sender, "APP|FAC");
}

TEST(FeedSettings, RefuseWhatTheyCannotKeep) {
    for (const json& bad :
         {json{{"unknown", 1}}, json{{"addresses", "10.0.0.1"}}, json{{"addresses", {"10.0.0.0/33"}}},
          json{{"character_set", "klingon"}}, json{{"acknowledgement", "never"}}, json{{"preadmit", true}},
          json{{"status_words", {{"x", "asleep"}}}}, json{{"status_words", {{"!", "booked"}}}}, json{{"sender", 7}},
          json{{"sender", std::string(256, 's')}}, json{{"certificate", "a\nb"}}, json{{"expect", "2 weeks"}},
          json{{"expect", 7'200}}, json{{"hours", "9 to 5"}}, json{{"expected_since_us", "now"}}, json::array()}) {
        FeedSettings feed{.name = "pms"};
        EXPECT_FALSE(apply(feed, bad)) << bad;
    }
    for (const char* name : {"", "mllp", "csv", "Pms", "p/ms", "-p", "a name", "123456789012345678901234567890123"})
        EXPECT_FALSE(check({.name = name, .addresses = {"10.0.0.1"}})) << name;
    EXPECT_FALSE(check({.name = "pms"})) << "from nowhere";
}

TEST(Feeds, AreInEffectOnceTheyAreStoredAndAfterARestart) {
    Desk desk;
    const auto change = [&](auto what) {
        return desk.store->write([&](records::Transaction& txn) { return what(txn); });
    };
    EXPECT_TRUE(change([&](auto& txn) { return desk.feeds->put(txn, {.name = "pms", .addresses = {"10.0.0.7"}}); }));
    EXPECT_EQ(found(*desk.feeds->table(), {.address = ip4(7)}), "pms");
    const auto failed = change([&](auto& txn) -> Result<void> {
        CLINIC_TRY(desk.feeds->put(txn, {.name = "lost", .addresses = {"10.0.0.8"}}));
        return Error{Errc::refused, "and now undone"};
    });
    EXPECT_FALSE(failed);
    EXPECT_EQ(desk.feeds->table()->named("lost"), nullptr);

    auto later = *Feeds::make({});
    ASSERT_TRUE(desk.store->read([&](records::Snapshot& snapshot) { return later->load(snapshot); }));
    EXPECT_EQ(found(*later->table(), {.address = ip4(7)}), "pms");
    EXPECT_EQ(desk.count("SELECT count(*) FROM feed_counter WHERE feed = 'mllp/pms'"), 1) << "silence is seen";

    EXPECT_TRUE(change([&](auto& txn) { return desk.feeds->remove(txn, "pms"); }));
    EXPECT_EQ(desk.feeds->table()->named("pms"), nullptr);
    EXPECT_EQ(change([&](auto& txn) { return desk.feeds->remove(txn, "pms"); }).error().code, Errc::not_found);
    EXPECT_EQ(desk.count("SELECT count(*) FROM feed_counter WHERE feed = 'mllp/pms'"), 0);
}

TEST(Feeds, AreNoMoreThanTheirBound) {
    Desk desk;
    EXPECT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
        for (std::size_t number = 0; number < feeds_max; ++number)
            CLINIC_TRY(desk.feeds->put(txn, {.name = "f" + std::to_string(number), .addresses = {"10.0.0.1"}}));
        EXPECT_EQ(desk.feeds->put(txn, {.name = "more", .addresses = {"10.0.0.1"}}).error().code, Errc::full);
        return {};
    }));
}

} // namespace
} // namespace clinic::intake
