#include "daemon/observer/notice.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace clinic::observer {
namespace {

using ::testing::HasSubstr;

TEST(TheNotice, SaysInThePlaceOfThePageWhatIsTheMatterAndWhatToDo) {
    for (int one = 0; one <= static_cast<int>(Trouble::unknown); ++one) {
        const auto trouble = static_cast<Trouble>(one);
        Notice notice{[trouble] { return Seen{.trouble = trouble}; }};
        for (const char* path : {"/", "/anything"}) {
            const auto answer = notice.document(path);
            ASSERT_TRUE(answer);
            EXPECT_EQ(answer->status, 503);
            EXPECT_THAT(answer->body, HasSubstr("<h1 class=\"shown\">The box is not working"));
            EXPECT_THAT(answer->body, HasSubstr("For your technician: "));
            EXPECT_THAT(answer->body, HasSubstr("http-equiv=\"refresh\""));
        }
    }
}

TEST(TheNotice, TellsProgramsByTheStatusAndByAnObject) {
    Notice notice{[] { return Seen{.trouble = Trouble::settings}; }};
    const auto health = notice.document("/api/health");
    ASSERT_TRUE(health);
    EXPECT_EQ(health->status, 503);
    EXPECT_EQ(nlohmann::json::parse(health->body),
              (nlohmann::json{{"alive", false}, {"ready", false}, {"mode", "down"}, {"cause", "settings"}}));
    for (const char* path : {"/api/v1/status", "/api/v1/events", "/metrics"}) {
        const auto answer = notice.document(path);
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 503);
        EXPECT_EQ(nlohmann::json::parse(answer->body).at("error"), "not_running");
    }
}

TEST(TheNotice, HasTheHelpAndTheLookOfThePage) {
    Notice notice{[] { return Seen{}; }};
    EXPECT_EQ(notice.document("/help/E2020")->status, 200);
    EXPECT_EQ(notice.document("/assets/style.css")->status, 200);
}

} // namespace
} // namespace clinic::observer
