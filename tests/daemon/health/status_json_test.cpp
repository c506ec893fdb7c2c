#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "crypto/base/json.h"
#include "tests/daemon/health/health_fixture.h"

namespace clinic::health {
namespace {

std::set<std::string> keys(const nlohmann::json& object) {
    std::set<std::string> names;
    for (const auto& [name, value] : object.items()) names.insert(name);
    return names;
}

using Names = std::set<std::string>;

class StatusDocument : public WithStore {
protected:
    nlohmann::json document() {
        auto parsed = base::parse_json(to_json(look()), 65'536, 8);
        EXPECT_TRUE(parsed);
        return *parsed;
    }
};

TEST_F(StatusDocument, TheBooksHaveExactlyTheirKeys) {
    for (const bool open : {false, true}) {
        if (open) attach();
        const auto status = document();
        EXPECT_EQ(keys(status.at("egress")), Names{"crm"});
        EXPECT_EQ(keys(status.at("egress").at("crm")),
                  (Names{"released", "pending", "leased", "delivered", "superseded", "withdrawn", "parked", "dead",
                         "discarded"}));
        EXPECT_EQ(keys(status.at("intake")), (Names{"mllp", "csv"}));
        for (const char* feed : {"mllp", "csv"})
            EXPECT_EQ(keys(status.at("intake").at(feed)),
                      (Names{"received", "stored", "quarantined", "refused", "duplicate"}));
    }
}

TEST_F(StatusDocument, HasTheDocumentedParts) {
    attach();
    EXPECT_EQ(keys(document()), (Names{"format",      "box",    "version", "at",      "uptime_s", "mode",
                                       "ready",       "well",   "since",   "answers", "needs",    "egress",
                                       "queue",       "intake", "feeds",   "lanes",   "basis",    "clock",
                                       "containment", "store",  "dbus",    "checks",  "delivery", "data_consistency"}));
}

TEST_F(StatusDocument, SaysOfWhatWasSetAsideHowManyAndSinceWhen) {
    attach();
    EXPECT_EQ(document().at("delivery"), "live");
    EXPECT_EQ(document().at("queue").at("crm").at("dead"), nlohmann::json::array());
}

TEST_F(StatusDocument, HasASenderByItsNameAndKeepsTheFeedsAsTheyAre) {
    attach();
    set_feed("mllp", 3, 3, 0);
    set_feed("mllp/pms", 2, 2, 0);
    const auto status = document();
    EXPECT_EQ(keys(status.at("intake")), (Names{"mllp", "csv"}));
    EXPECT_EQ(keys(status.at("feeds")), (Names{"mllp", "csv", "pms"}));
    EXPECT_EQ(status.at("feeds").at("pms").at("sender_of"), "mllp");
    EXPECT_EQ(status.at("feeds").at("pms").at("stored"), 2);
    EXPECT_EQ(status.at("feeds").at("pms").at("balanced"), true);
    EXPECT_EQ(health_.device().feeds.size(), 2U) << "its name does not leave the box";
}

TEST_F(StatusDocument, SaysItsSentencesInWords) {
    attach();
    set_basis(release::Basis::baa);
    everything_up();
    const auto answers = document().at("answers");
    EXPECT_EQ(answers.at("box").at("text"), "All well");
    EXPECT_EQ(answers.at("ghl").at("text"), "Up to date, there was nothing to send yet");
    EXPECT_EQ(answers.at("needs").at("text"), "Nothing needs you");
}

TEST_F(StatusDocument, SaysOfEachLaneWhatWasHeard) {
    using envelope::LaneState;
    attach();
    EXPECT_EQ(document().at("lanes").at("crm").at("state"), "unknown") << "nobody has spoken yet";
    for (const auto& [state, said] :
         {std::pair{LaneState::up, "up"}, std::pair{LaneState::paused, "paused"}, std::pair{LaneState::down, "down"}}) {
        health_.lanes({.crm = state, .mqtt = state});
        for (const char* lane : {"crm", "mqtt"}) EXPECT_EQ(document().at("lanes").at(lane).at("state"), said) << lane;
    }
    health_.lanes({.crm = LaneState::down, .crm_code = "not_configured"});
    EXPECT_EQ(document().at("lanes").at("crm").at("state"), "unset");
}

TEST_F(StatusDocument, ANeedIsWholeInWords) {
    attach();
    set_counter(0, 2);
    set_counter(static_cast<int>(outbox::State::dead), 2);
    set_basis(release::Basis::baa);
    everything_up();
    const auto need = document().at("needs").at(0);
    EXPECT_EQ(need.at("code"), "E2301");
    EXPECT_EQ(need.at("what"), "2 changes were refused by GHL and set aside");
    EXPECT_EQ(keys(need),
              (Names{"code", "state", "since", "number", "what", "meaning", "by_itself", "action", "cause", "remedy"}));
}

} // namespace
} // namespace clinic::health
