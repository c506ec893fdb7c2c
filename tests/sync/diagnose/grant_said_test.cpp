#include "sync/diagnose/said/grant_said.h"

#include <gtest/gtest.h>

namespace clinic::diagnose {
namespace {

TEST(GrantSaid, IsReadAsItWasWritten) {
    GrantSaid said{.way = "grant", .state = "works", .minutes_left = 7, .address = "https://x/?client_id=app"};
    said.missing = {{"contacts.write", "all that is delivered"}};
    said.why = "why";
    const auto read = read_grant(write_grant(said));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->way, "grant");
    EXPECT_EQ(read->state, "works");
    EXPECT_EQ(read->minutes_left, 7);
    EXPECT_EQ(read->address, "https://x/?client_id=app");
    EXPECT_EQ(read->missing, said.missing);
    EXPECT_EQ(read->why, "why");
    EXPECT_EQ(read->remedy, "");
}

TEST(GrantSaid, OfAnythingElseIsRefused) {
    for (const char* text : {"", "{}", "[]", R"({"v":1})", R"({"v":2,"way":"grant"})"})
        EXPECT_FALSE(read_grant(text)) << text;
    auto said = GrantSaid{};
    said.why = "a bell \a";
    EXPECT_FALSE(read_grant(write_grant(said)));
}

TEST(GrantQuestions, AreTwoAndNoMore) {
    EXPECT_TRUE(read_grant_question(write_question({})));
    EXPECT_EQ(read_grant_question(write_question({"abc"}))->code, "abc");
    for (const std::string& text :
         {std::string{R"({"v":1,"ask":"ways"})"}, std::string{R"({"v":1,"ask":"authorize"})"},
          std::string{R"({"v":1,"ask":"authorize","code":""})"}, std::string{R"({"v":1,"ask":"grant","code":"x"})"},
          std::string{R"({"v":1,"ask":"authorize","code":"a\nb"})"},
          R"({"v":1,"ask":"authorize","code":")" + std::string(code_length_max + 1, 'x') + "\"}"})
        EXPECT_FALSE(read_grant_question(text)) << text;
}

} // namespace
} // namespace clinic::diagnose
