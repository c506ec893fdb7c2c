#include "sync/diagnose/said/location_said.h"

#include <gtest/gtest.h>

namespace clinic::diagnose {
namespace {

LocationSaid some() {
    return {.configured = true,
            .fields = {{"stage", "ce_stage", "f1", "TEXT", "there", "f1"}, {"last", "ce_last", "", "", "missing", ""}},
            .tags = {"ce-returning"},
            .pipelines = {{"p1", "Care", {{"s1", "New"}, {"s2", "Active"}}}},
            .calendars = {{"k1", "Front desk"}},
            .unread = {{"tags", "scope"}}};
}

TEST(LocationSaid, ComesBackAsItWasWritten) {
    const auto back = read_location(write_location(some()));
    ASSERT_TRUE(back) << back.error().what.c_str();
    EXPECT_EQ(write_location(*back), write_location(some()));
    EXPECT_EQ(back->pipelines.front().stages.back().name, "Active");
    EXPECT_EQ(back->unread.front().second, "scope");
    EXPECT_TRUE(read_location(write_location({})));
}

TEST(LocationSaid, IsClosed) {
    const std::string good = write_location(some());
    for (const auto& [from, to] : {std::pair{R"("state":"missing")", R"("state":"fine")"},
                                   {R"("v":1)", R"("v":2)"},
                                   {R"("v":1)", R"("v":1,"x":1)"},
                                   {R"("more":false)", R"("more":0)"},
                                   {R"("what":"tags")", R"("what":"people")"},
                                   {R"("type":"TEXT")", R"("type":"TEXT","placeholder":"x")"},
                                   {R"("name":"Care")", "\"name\":\"Ca\\u001b[31mre\""}}) {
        std::string text = good;
        ASSERT_NE(text.find(from), std::string::npos) << from;
        EXPECT_FALSE(read_location(text.replace(text.find(from), std::string_view{from}.size(), to))) << to;
    }
    EXPECT_FALSE(read_location("{"));
}

TEST(LocationSaid, TheLargestAnswerFits) {
    LocationSaid most{.configured = true, .more = true};
    const std::string id(64, 'i'), name(200, '\n');
    for (std::size_t i = 0; i < fields_said_max; ++i)
        most.fields.push_back({"stage", "ce_stage", id, name, "there", id});
    most.tags.assign(tags_max, id);
    most.pipelines.assign(pipelines_max, {id, name, std::vector<NamedSaid>(stages_max, {id, name})});
    most.calendars.assign(calendars_max, {id, name});
    EXPECT_LT(write_location(most).size(), location_bytes_max);
    EXPECT_TRUE(read_location(write_location(most)));
}

TEST(LocationSaid, OnlyTheTwoQuestionsAreOnes) {
    EXPECT_EQ(read_location_question(write_location_question(false)), std::optional{false});
    EXPECT_EQ(read_location_question(write_location_question(true)), std::optional{true});
    EXPECT_FALSE(read_location_question(R"({"v":1,"ask":"grant"})"));
}

} // namespace
} // namespace clinic::diagnose
