#include "daemon/web/words/words.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace clinic::words {
namespace {

// 2026-11-21T10:00:00Z, in a clinic one hour east.
const Moment morning{{1'795'255'200'000'000}, 60};

TEST(Words, AgesAreRelativeToAnHourThenClockThenDate) {
    EXPECT_EQ(ago(-1, morning), "never");
    EXPECT_EQ(ago(0, morning), "just now");
    EXPECT_EQ(ago(4, morning), "4 seconds ago");
    EXPECT_EQ(ago(60, morning), "1 min ago");
    EXPECT_EQ(ago(59 * 60 + 59, morning), "59 min ago");
    EXPECT_EQ(ago(3'600, morning), "at 10:00");
    EXPECT_EQ(ago(11 * 3'600 + 1, morning), "on 20 November");
    EXPECT_EQ(ago(400LL * 86'400, morning), "on 17 October 2025");
}

TEST(Words, NumbersHaveSeparatorsAndPlurals) {
    EXPECT_EQ(number(0), "0");
    EXPECT_EQ(number(999), "999");
    EXPECT_EQ(number(1'234'567), "1,234,567");
    EXPECT_EQ(number(-1'234), "-1,234");
    EXPECT_EQ(say("E2301.what", {.n = 1}, morning), "1 change was refused by GHL and set aside");
    EXPECT_EQ(say("E2301.what", {.n = 2'000}, morning), "2,000 changes were refused by GHL and set aside");
    EXPECT_EQ(say("ghl.throttled", {.n = 23, .age_s = 400}, morning),
              "23 changes waiting, oldest 6 minutes: GHL is slowing us down, we go on by ourselves");
}

TEST(Words, SpansAndSizesHaveUnits) {
    EXPECT_EQ(span(1), "1 second");
    EXPECT_EQ(span(7'200), "2 hours");
    EXPECT_EQ(span(5 * 86'400), "5 days");
    EXPECT_EQ(bytes(999), "999 B");
    EXPECT_EQ(bytes(12'400'000), "12.4 MB");
    EXPECT_EQ(exact(morning.now, morning), "21 November 2026, 11:00:00");
}

TEST(Words, EverySentenceHasPlacesThatAreFilled) {
    static const std::set<std::string> known{"{n}", "{ago}", "{span}", "{since}", "{date}", "{clock}", "{name}"};
    for (const auto key : keys()) {
        const std::string sentence = text(key).c_str();
        for (auto open = sentence.find('{'); open != std::string::npos; open = sentence.find('{', open + 1))
            EXPECT_EQ(known.count(sentence.substr(open, sentence.find('}', open) - open + 1)), 1U) << key;
        EXPECT_EQ(sentence.find('!'), std::string::npos) << key;
        EXPECT_EQ(sentence.find("(s)"), std::string::npos) << key;
    }
}

TEST(Words, EveryPluralHasBothForms) {
    for (const auto key : keys()) {
        const std::string name{key};
        const bool one = name.ends_with(".one"), other = name.ends_with(".other");
        if (!one && !other) continue;
        const std::string stem = name.substr(0, name.rfind('.'));
        EXPECT_TRUE(has(stem + (one ? ".other" : ".one"))) << key;
    }
}

TEST(Words, EveryCodeSaysAllFourThings) {
    for (const auto key : keys()) {
        const std::string name{key.substr(0, key.find('.'))};
        if (name.size() != 5 || name.front() != 'E') continue;
        EXPECT_TRUE(has(name + ".what") || has(name + ".what.one")) << name;
        for (const char* part : {".meaning", ".by_itself", ".action"}) EXPECT_TRUE(has(name + part)) << name << part;
    }
}

// Each code has its line among the codes, and one with its cause and what to do, in the words of its help page.
TEST(Words, EveryCodeIsOnItsPageWithCauseAndAction) {
    std::ifstream in{CLINIC_SOURCE_DIR "/docs/events.md"};
    const std::string page{std::istreambuf_iterator<char>{in}, {}};
    std::size_t codes = 0;
    for (const auto key : keys()) {
        if (key.size() != 13 || key.front() != 'E' || !key.ends_with(".meaning")) continue;
        const std::string code{key.substr(0, 5)};
        std::string row = "\n| `" + code + "` |";
        for (const char* part : {".meaning", ".by_itself", ".action"})
            row += " " + std::string{text(code + part).c_str()} + " |";
        EXPECT_NE(page.find("\n| " + code + " | "), std::string::npos) << code;
        EXPECT_NE(page.find(row + "\n"), std::string::npos) << row;
        ++codes;
    }
    EXPECT_GT(codes, 90U);
}

} // namespace
} // namespace clinic::words
