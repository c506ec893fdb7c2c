#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/health/health.h"
#include "daemon/web/web.h"
#include "tests/fakes/manual_clock.h"

namespace clinic::web {
namespace {

class Page : public ::testing::Test {
protected:
    std::string page() { return status_page(health::to_json(health_.status())); }

    fakes::ManualClock clock_;
    health::Health health_{{.box = "<demo>&\"1\"", .version = "0.1.0", .records = "/"}, clock_};
};

TEST_F(Page, StandsWithoutJavaScript) {
    const std::string html = page();
    EXPECT_NE(html.find("<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>"), std::string::npos);
    for (const char* text :
         {"Is the box well?", "Is GHL up to date?", "What needs me?", "Released for GHL", "The records are locked"})
        EXPECT_NE(html.find(text), std::string::npos) << text;
    EXPECT_EQ(html.find("{{"), std::string::npos);
    EXPECT_EQ(html.find("{n}"), std::string::npos);
}

TEST_F(Page, SaysThatItDoesNotKnowWhatLiesInClosedRecords) {
    EXPECT_EQ(page().find("Adds up"), std::string::npos);
    EXPECT_EQ(page().find("None: nothing leaves"), std::string::npos);
    EXPECT_NE(page().find(">not known<"), std::string::npos);
    auto open = nlohmann::json::parse(health::to_json(health_.status()));
    open["store"]["open"] = true;
    const std::string html = status_page(open.dump());
    EXPECT_NE(html.find("Adds up"), std::string::npos);
    EXPECT_EQ(html.find("not known"), std::string::npos);
}

TEST_F(Page, TellsWhenEachNamedSenderWasLastHeard) {
    auto status = nlohmann::json::parse(health::to_json(health_.status()));
    status["store"]["open"] = true;
    EXPECT_NE(status_page(status.dump()).find("<dl class=\"facts\" id=\"senders\"></dl>"), std::string::npos);
    status["feeds"]["front-desk"] = {{"sender_of", "mllp"}, {"last_message_s", 150}, {"balanced", true}};
    const auto line = [&](const char* state) {
        status["feeds"]["front-desk"]["state"] = state;
        const std::string html = status_page(status.dump());
        const auto at = html.find("id=\"senders\">");
        return html.substr(at, html.find("</dl>", at) - at);
    };
    const std::string unexpected = line("nothing_expected");
    EXPECT_NE(unexpected.find("<div><dt>Last from front-desk</dt>"), std::string::npos) << unexpected;
    EXPECT_NE(unexpected.find(">2 min ago<"), std::string::npos);
    EXPECT_NE(unexpected.find("data-show=\"ago:feeds.front-desk.last_message_s\""), std::string::npos);
    EXPECT_EQ(unexpected.find("<svg"), std::string::npos);
    for (const auto& [state, mark, words] : {std::tuple{"on_time", "data-state=\"well\"", "on time<"},
                                             std::tuple{"silent", "data-state=\"look\"", "silent for too long<"}}) {
        const std::string said = line(state);
        EXPECT_NE(said.find(mark), std::string::npos) << said;
        EXPECT_NE(said.find(words), std::string::npos) << said;
        EXPECT_NE(said.find("<svg class=\"shape\""), std::string::npos) << said;
    }
    status["store"]["open"] = false;
    EXPECT_EQ(line("silent").find("silent"), std::string::npos) << "nobody knows while the records are closed";
}

TEST_F(Page, SaysOfWhatWasSetAsideHowManySinceWhenAndWhatToDo) {
    auto status = nlohmann::json::parse(health::to_json(health_.status()));
    const auto part = [&] {
        const std::string html = status_page(status.dump());
        const auto at = html.find("id=\"dead\">");
        return html.substr(at, html.find("</ul>", at) - at);
    };
    EXPECT_NE(part().find("Not known while the records are closed"), std::string::npos);
    status["store"]["open"] = true;
    EXPECT_NE(part().find("Nothing was set aside"), std::string::npos);
    status["queue"]["crm"]["dead"] = {
        {{"class", "refused"}, {"letters", 1'200}, {"first_at", status.at("at")}, {"last_at", status.at("at")}}};
    const std::string said = part();
    for (const char* text : {"<svg class=\"shape\"", "1,200", "refused by GHL, twice", "since ",
                             "clinicctl sync dead retry --class refused"})
        EXPECT_NE(said.find(text), std::string::npos) << said;
}

TEST_F(Page, HasNothingInlineThatItsPolicyForbids) {
    const std::string html = page();
    for (const char* text :
         {" style=", "<style", " onclick", " onload", "javascript:", "<script>", "http://", "https://"})
        EXPECT_EQ(html.find(text), std::string::npos) << text;
}

TEST_F(Page, EscapesWhatConfigurationSays) {
    const std::string html = page();
    EXPECT_EQ(html.find("<demo>"), std::string::npos);
    EXPECT_NE(html.find("&lt;demo&gt;&amp;&quot;1&quot;"), std::string::npos);
}

TEST_F(Page, HeadingsGoDownOneAtATime) {
    const std::string html = page();
    int last = 0;
    for (auto at = html.find("<h"); at != std::string::npos; at = html.find("<h", at + 1)) {
        const char level = html[at + 2];
        if (level < '1' || level > '6') continue;
        EXPECT_LE(level - '0', last + 1);
        last = level - '0';
    }
    EXPECT_EQ(last, 2);
}

TEST(HelpPage, IsThereForEachCodeAndNothingElse) {
    for (const char* code : {"E1001", "E2001", "E2102", "E2301"}) EXPECT_TRUE(help_page(code)) << code;
    for (const char* code : {"", "E9999", "E21020", "ghl.x", "<b>"}) EXPECT_FALSE(help_page(code)) << code;
    for (const char* code : {"E2301", "E2402"}) EXPECT_EQ(help_page(code)->find('{'), std::string::npos) << code;
}

TEST(Assets, AreTheBuiltFilesAlone) {
    EXPECT_TRUE(asset("/assets/app.js"));
    EXPECT_TRUE(asset("/assets/style.css"));
    EXPECT_TRUE(asset("/assets/icon.svg"));
    for (const char* path : {"/assets/index.html", "/assets/", "/assets/../app.js", "/app.js", "/assets/app.js/"})
        EXPECT_FALSE(asset(path)) << path;
}

} // namespace
} // namespace clinic::web
