// Mutated HL7 messages through Ingest on a real store: each is answered once, in the sender's own terms, positive only
// when it is stored, and the books say the same as the answers.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "crypto/base/files.h"
#include "tests/daemon/intake/desk.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"

namespace clinic::intake {
namespace {

using testing::Desk;
using testing::field_of;

constexpr std::size_t messages_a_round = 500;
constexpr std::size_t sample_bytes_max = 1'048'576;

std::vector<std::string> good_messages() {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator{CLINIC_OWN_SAMPLES}) {
        if (entry.path().extension() != ".hl7") continue;
        auto text = base::read_text(entry.path(), sample_bytes_max);
        EXPECT_TRUE(text) << entry.path();
        if (text) all.push_back(std::move(*text));
    }
    std::sort(all.begin(), all.end());
    return all;
}

// Answers as they come, from any thread.
class Answers {
public:
    Ingest::Answer next() {
        return [this](std::string text) {
            const std::scoped_lock lock{mutex_};
            texts_.push_back(std::move(text));
            came_.notify_all();
        };
    }
    std::vector<std::string> wait_for(std::size_t count) {
        std::unique_lock lock{mutex_};
        came_.wait_for(lock, std::chrono::minutes{5}, [&] { return texts_.size() >= count; });
        return std::exchange(texts_, {});
    }

private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::vector<std::string> texts_;
};

bool is_one_of(const std::string& code, std::initializer_list<const char*> codes) {
    return std::any_of(codes.begin(), codes.end(), [&](const char* one) { return code == one; });
}

// What is wrong, where in the message when it is a place in it, and what to do: in ERR, before v2.5 in MSA-3.
void expect_clear(const std::string& answer) {
    const std::string error_code = field_of(answer, "ERR", 3), old_code = field_of(answer, "MSA", 6);
    const bool has_err = !error_code.empty();
    const std::string code = (has_err ? error_code : old_code).substr(0, 3);
    const std::string said = has_err ? field_of(answer, "ERR", 8) : field_of(answer, "MSA", 3);
    const auto remedy = said.find("; ");
    EXPECT_TRUE(remedy != std::string::npos && remedy > 0 && said.size() > remedy + 2) << answer;
    // Codes that are about a field; a missing segment and half a frame have no place.
    if (!is_one_of(code, {"101", "102", "200", "201", "202", "203"})) return;
    const std::string place = has_err ? field_of(answer, "ERR", 2) : said;
    EXPECT_GT(place.size(), 3U) << answer;
    EXPECT_TRUE(std::all_of(place.begin(), place.begin() + 3, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    })) << answer;
    EXPECT_NE(place.find_first_of("0123456789", 3), std::string::npos) << answer;
}

// How many of them are positive. Every one is a whole message of its own frame, or the silence that was asked for.
std::int64_t positive(const std::vector<std::string>& answers) {
    std::int64_t count = 0;
    for (const auto& answer : answers) {
        if (answer.empty()) {
            ADD_FAILURE() << "no site asked for silence";
            continue;
        }
        EXPECT_EQ(answer.substr(0, 3), "MSH");
        EXPECT_EQ(answer.find_first_of("\x0B\x1C"), std::string::npos);
        const std::string code = field_of(answer, "MSA", 1);
        EXPECT_TRUE(is_one_of(code, {"AA", "AE", "AR", "CA", "CE", "CR"})) << code;
        if (is_one_of(code, {"AA", "CA"}))
            ++count;
        else
            expect_clear(answer);
    }
    return count;
}

TEST(BadMessages, AreAnsweredEachAndTheBooksAgreeWithTheAnswers) {
    const auto samples = good_messages();
    ASSERT_GE(samples.size(), 40U);
    Desk desk;
    desk.open_basis();
    support::Campaign campaign{
        {.name = "bad_messages", .what = "mutated messages", .plain = 4, .most = 400, .weight = messages_a_round}};
    while (const auto seed = campaign.next()) {
        desk.a_day_later();
        support::Mutator mutate{*seed, "|^~\\&\r\n.0129-+\"XE\x1c\x0b\xC3"};
        const auto before = desk.books();
        Answers answers;
        for (std::size_t i = 0; i < messages_a_round; ++i) {
            std::string message = mutate.from(samples);
            std::erase_if(message, [](char c) { return c == '\x0B' || c == '\x1C'; }); // a frame has none inside
            desk.ingest->message(std::move(message), mutate.below(50) == 0, answers.next());
        }
        const auto came = answers.wait_for(messages_a_round);
        ASSERT_EQ(came.size(), messages_a_round);
        const auto said_yes = positive(came);
        const auto after = desk.books();
        EXPECT_TRUE(after.balanced());
        EXPECT_EQ(after.received - before.received, static_cast<std::int64_t>(messages_a_round));
        EXPECT_EQ(after.stored + after.duplicate - before.stored - before.duplicate, said_yes);
        EXPECT_GT(after.quarantined, before.quarantined);
        EXPECT_GT(after.stored, before.stored) << "the mutations are so wild that they prove nothing";
    }
    const auto verified = desk.read([](records::Snapshot& snapshot) { return audit::Trail::verify(snapshot); });
    EXPECT_GT(verified.entries, 0);
}

} // namespace
} // namespace clinic::intake
