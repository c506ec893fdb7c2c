// Mutated answers of GHL: what is kept of them is plain and bounded, and each means something that the lane knows.
#include <gtest/gtest.h>

#include "sync/channel/ghl/answer.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"

namespace clinic::ghl {
namespace {

constexpr int answers_a_round = 2'000;

const std::vector<std::string> samples{
    R"({"contact":{"id":"abcDEF123","firstName":"p_1","email":"j@x","customFields":[{"id":"fPid","value":"p_1"}]}})",
    R"({"statusCode":400,"message":"This location does not allow duplicated contacts.","meta":{"contactId":"dup1","contactName":"Jane Doe"}})",
    R"({"contacts":[{"id":"a1","customFields":[{"id":"fPid","value":"p_1"}]},{"id":"b2","customFields":[]}],"total":2})",
    R"({"statusCode":401,"message":"The token is not authorized for this scope."})",
    R"({"statusCode":422,"message":["property x should not exist"],"error":"Unprocessable Entity"})",
    "<html><head><title>502 Bad Gateway</title></head></html>",
    "Wed, 25 Nov 2026 20:00:00 GMT",
    "120"};

bool is_code(const std::string& code) {
    return code.size() <= 32 && std::all_of(code.begin(), code.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
           });
}

TEST(BadAnswers, LeaveOnlyPlainIdsAndKnownMeanings) {
    std::int64_t kept = 0;
    support::Campaign campaign{
        {.name = "bad_answers", .what = "mutated answers", .plain = 10, .most = 500, .weight = answers_a_round}};
    while (const auto seed = campaign.next()) {
        support::Mutator mutate{*seed, "\"{}[],:\\019-_./<u\xC3"};
        for (int i = 0; i < answers_a_round; ++i) {
            const std::string body = mutate.from(samples);
            Exchange exchange{.result = Exchange::Result::answered, .answer = read_answer(body, "fPid", "p_1")};
            const auto& answer = exchange.answer;
            for (const auto& id : {answer.contact, answer.duplicate_of})
                ASSERT_TRUE(id.empty() || envelope::is_contact_id(id)) << body;
            for (const auto& id : answer.marked) ASSERT_TRUE(envelope::is_contact_id(id)) << body;
            kept += answer.contact.empty() && answer.marked.empty() ? 0 : 1;
            for (const int status : {200, 201, 302, 400, 401, 403, 404, 422, 429, 500, 503}) {
                exchange.status = status;
                ASSERT_TRUE(is_code(judge(exchange).code)) << status << ' ' << body;
            }
            const auto wait = retry_after(body, 1'795'255'200);
            ASSERT_TRUE(wait.count() >= 0 && wait <= std::chrono::hours{1}) << body;
        }
    }
    EXPECT_GT(kept, 0) << "the mutations are so wild that they prove nothing";
}

} // namespace
} // namespace clinic::ghl
