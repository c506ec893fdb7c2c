#include "provisioning/message_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace clinic::provisioning {
namespace {

using nlohmann::json;

TEST(MessageView, ShowsSegmentsAsLinesAndNoEscapesOfTheSender) {
    const auto text = view_message({{"id", 7},
                                    {"feed", "mllp/pms"},
                                    {"received_at", "2026-11-21T10:00:00Z"},
                                    {"text", "MSH|^~\\&|APP\rPID|\x1b[2J\xc2\x9b"
                                             "31mJane\x07\rNTE|J\xc3\xb6rg\r"}});
    EXPECT_EQ(text,
              "7 of mllp/pms, received 2026-11-21T10:00:00Z\n\nMSH|^~\\&|APP\nPID|.[2J.31mJane.\nNTE|J\xc3\xb6rg\n\n");
}

TEST(MessageView, SaysWhyAnItemIsInTheQuarantineAndWhatBecameOfIt) {
    const auto text = view_message({{"id", 3},
                                    {"feed", "mllp"},
                                    {"received_at", "2026-11-21T10:00:00Z"},
                                    {"reason", "not a date or time"},
                                    {"segment", 2},
                                    {"field", 7},
                                    {"replayed_at", "2026-11-22T10:00:00Z"},
                                    {"replayed_as", "stored"},
                                    {"text", ""}});
    EXPECT_NE(text.find("not a date or time (segment 2, field 7)\n"), std::string::npos) << text;
    EXPECT_NE(text.find("replayed 2026-11-22T10:00:00Z: stored\n"), std::string::npos) << text;
}

TEST(MessageView, ListsSendersAndWhatWasNotTaken) {
    const auto text =
        view_feeds(json::parse(R"({"feeds":[{"name":"pms","addresses":["10.0.0.7"],"certificate":"","sender":"A|B",
        "character_set":"","acknowledgement":"by-message","preadmit":"appointment","status_words":{"roomed":"arrived"},
        "books":{"received":5,"last_at":null}}],"unsupported":{"ORU^R01":9}})"));
    EXPECT_NE(text.find("5 received, last never"), std::string::npos) << text;
    EXPECT_NE(text.find("roomed = arrived"), std::string::npos) << text;
    EXPECT_NE(text.find("not taken since start: ORU^R01, 9 times"), std::string::npos) << text;
    const auto strangers = view_feeds(json::parse(
        R"({"feeds":[],"unsupported":{},"turned_away":[{"address":"10.0.0.9","times":3,"last_at":"2026-11-21T10:00:00Z"}]})"));
    EXPECT_NE(strangers.find("turned away: 10.0.0.9, 3 times, last 2026-11-21T10:00:00Z"), std::string::npos)
        << strangers;
    EXPECT_NE(view_feeds({{"feeds", json::array()}, {"unsupported", json::object()}}).find("feed add"),
              std::string::npos);
}

TEST(MessageView, ListsMessagesAndReplays) {
    const auto text = view_messages(
        json::parse(R"([{"id":12,"feed":"mllp","received_at":"2026-11-21T10:00:00Z","bytes":300,"kind":"ADT^A04"}])"));
    EXPECT_NE(text.find("12  2026-11-21T10:00:00Z"), std::string::npos) << text;
    EXPECT_EQ(view_settled(json::parse(R"({"items":[{"id":4,"as":"stored"}],"next":null})")), "4: stored\n");
    EXPECT_EQ(view_settled(json::parse(R"({"items":[],"next":null})")), "nothing waits\n");
}

} // namespace
} // namespace clinic::provisioning
