#include "sync/channel/ghl/answer.h"

#include <gtest/gtest.h>

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;

Exchange answered(int status, std::string_view body) {
    Exchange out;
    out.result = Exchange::Result::answered;
    out.status = status;
    out.answer = read_answer(body, "fPid", "p_1");
    return out;
}

TEST(Answers, OnlyIdsAreKept) {
    const auto created =
        read_answer(R"({"contact":{"id":"abc","firstName":"Jane","email":"j@x"},"traceId":"t"})", "fPid", "p_1");
    EXPECT_TRUE(created.json);
    EXPECT_EQ(created.contact, "abc");
    const auto duplicate =
        read_answer(R"({"statusCode":400,"meta":{"contactId":"dup1","contactName":"Jane Doe"}})", "fPid", "p_1");
    EXPECT_EQ(duplicate.duplicate_of, "dup1");
}

TEST(Answers, AFoundContactIsOursOnlyWithTheExactMarker) {
    const auto found = read_answer(R"({"contacts":[
        {"id":"z9","customFields":[{"id":"fPid","value":"p_1"}]},
        {"id":"b2","customFields":[{"id":"fPid","value":"p_12"}]},
        {"id":"c3","customFields":[{"id":"other","value":"p_1"}]},
        {"id":"d4"}, {"id":"../x","customFields":[{"id":"fPid","value":"p_1"}]},
        {"id":"a1","customFields":[{"id":"fPid","value":"p_1"}]}],"total":6})",
                                   "fPid", "p_1");
    EXPECT_EQ(found.marked, (std::vector<std::string>{"a1", "z9"}));
}

// A look-up that took it for ours would write to what nobody sees any more.
TEST(Answers, WhatIsMarkedAsDeletedIsNotFound) {
    const auto found = read_answer(R"({"contacts":[
        {"id":"a1","deleted":true,"customFields":[{"id":"fPid","value":"p_1"}]},
        {"id":"b2","deleted":false,"customFields":[{"id":"fPid","value":"p_1"}]}],"total":2})",
                                   "fPid", "p_1");
    EXPECT_EQ(found.marked, std::vector<std::string>{"b2"});
    const Sought booked{"events", "title", "a_1", "c1", true};
    const auto listed = read_answer(R"({"events":[{"id":"e1","title":"a_1","contactId":"c1","deleted":true},
        {"id":"e2","title":"a_1","contactId":"c1","appointmentStatus":"cancelled"}]})",
                                    "", "", nullptr, &booked);
    EXPECT_EQ(listed.objects, std::vector<std::string>{"e2"});
}

TEST(Answers, WhatIsNotAnObjectOfBoundedSizeIsNotJson) {
    EXPECT_FALSE(read_answer("<html>sign in</html>", "", "").json);
    EXPECT_FALSE(read_answer("", "", "").json);
    EXPECT_FALSE(read_answer("[]", "", "").json);
    EXPECT_FALSE(read_answer(std::string(100, '[') + std::string(100, ']'), "", "").json);
    EXPECT_FALSE(read_answer(R"({"contact":{"id":"a"},"contact":{"id":"b"}})", "", "").json);
    EXPECT_EQ(read_answer(R"({"contact":"x","meta":7,"contacts":{}})", "fPid", "p_1").contact, "");
}

struct Row {
    int status;
    const char* body;
    Meaning meaning;
    const char* code;
};

TEST(Answers, EachStatusHasOneMeaning) {
    const Row table[] = {
        {200, R"({"succeded":true})", Meaning::ok, ""},
        {201, R"({"tags":[]})", Meaning::ok, ""},
        {200, "<html>", Meaning::passing, "not_json"},
        {302, "", Meaning::passing, "http_302"},
        {400, R"({"message":"Bad Request"})", Meaning::about_body, "http_400"},
        {400, R"({"meta":{"contactId":"x1"}})", Meaning::duplicate, "duplicate"},
        {400, "<html>", Meaning::passing, "not_json"},
        {401, R"({"message":"Invalid JWT"})", Meaning::denied, "unauthorized"},
        {401, R"({"message":"The token is not authorized for this scope."})", Meaning::denied, "scope"},
        {403, R"({"message":"The token does not have access to this location."})", Meaning::denied, "forbidden"},
        {404, R"({"message":"no"})", Meaning::about_body, "http_404"},
        {404, "<html>", Meaning::passing, "not_json"},
        {408, "{}", Meaning::passing, "http_408"},
        {409, "{}", Meaning::passing, "http_409"},
        {423, "{}", Meaning::passing, "http_423"},
        {425, "{}", Meaning::passing, "http_425"},
        {422, R"({"message":["property x should not exist"]})", Meaning::about_body, "http_422"},
        {429, "", Meaning::passing, "throttled"},
        {500, "{}", Meaning::passing, "http_500"},
        {503, "<html>", Meaning::passing, "http_503"},
    };
    for (const auto& row : table) {
        const auto said = judge(answered(row.status, row.body));
        EXPECT_EQ(said.meaning, row.meaning) << row.status << row.body;
        EXPECT_EQ(said.code, row.code);
    }
}

TEST(Answers, WhatWasNotAnsweredPassesUnlessSomeoneIsNeeded) {
    Exchange out;
    out.failure = "offline";
    EXPECT_EQ(judge(out).meaning, Meaning::passing);
    EXPECT_EQ(judge(out).code, "offline");
    out.needs_someone = true;
    EXPECT_EQ(judge(out).meaning, Meaning::denied);
}

TEST(RetryAfter, ReadsSecondsAndDatesAndNothingElse) {
    constexpr std::int64_t now = 1'795'255'200; // 2026-11-21T10:00:00Z
    EXPECT_EQ(retry_after("7", now), 7s);
    EXPECT_EQ(retry_after("Sat, 21 Nov 2026 10:00:30 GMT", now), 30s);
    EXPECT_EQ(retry_after("Sat, 21 Nov 2026 09:00:00 GMT", now), 0s);
    EXPECT_EQ(retry_after("99999999", now), 1h);
    EXPECT_EQ(retry_after("-5", now), 0s);
    EXPECT_EQ(retry_after("soon", now), 0s);
    EXPECT_EQ(retry_after("", now), 0s);
}

} // namespace
} // namespace clinic::ghl
