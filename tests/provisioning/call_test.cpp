#include "provisioning/call.h"

#include <gtest/gtest.h>

namespace clinic::provisioning {
namespace {

using namespace std::literals;

constexpr std::string_view known[]{"--json", "--limit=", "--address=*"};

struct Parsed : Call {
    Objection wrong;
};

Parsed parsed(std::vector<std::string> words) {
    Parsed out;
    out.wrong = parse(words, known, out);
    return out;
}

TEST(CallOptions, StandAnywhereAndMayBeJoinedToTheirValue) {
    const auto call = parsed({"--json", "feed", "--limit", "5", "set", "--address=10.0.0.7", "--address", "none"});
    ASSERT_EQ(call.wrong, "");
    EXPECT_EQ(call.words, (std::vector{"feed"s, "set"s}));
    EXPECT_TRUE(call.has("--json"));
    EXPECT_EQ(call.value("--limit"), "5");
    EXPECT_EQ(call.values("--address"), (std::vector{"10.0.0.7"s, "none"s}));
    EXPECT_EQ(parsed({"--limit="}).value("--limit"), "") << "an empty value is one";
}

TEST(CallOptions, AfterTwoDashesAllAreWords) {
    const auto call = parsed({"import", "--", "--json", "-x"});
    ASSERT_EQ(call.wrong, "");
    EXPECT_EQ(call.words, (std::vector{"import"s, "--json"s, "-x"s}));
    EXPECT_TRUE(call.options.empty());
}

TEST(CallOptions, WhatNobodyKnowsIsRefusedAndNotPassedOver) {
    for (const auto& wrong : {"--frob"s, "-h"s, "--jsonx"s, "--frob=1"s}) {
        const auto call = parsed({"sync", "dead", wrong});
        EXPECT_NE(call.wrong.find(wrong.substr(0, wrong.find('='))), std::string::npos);
    }
    const auto name = parsed({"--Anna Example 1980"});
    EXPECT_NE(name.wrong, "");
    EXPECT_EQ(name.wrong.find("Anna"), std::string::npos) << "it may be a patient's";
}

TEST(CallOptions, AValueIsNeitherMissingNorTooMuch) {
    EXPECT_NE(parsed({"--limit"}).wrong, "");
    EXPECT_NE(parsed({"--json=yes"}).wrong, "");
}

TEST(CallOptions, OfAnotherCommandOrGivenTwiceAreRefused) {
    constexpr std::string_view json_only[]{"--json"};
    EXPECT_EQ(check(parsed({"--json"}), json_only), "");
    EXPECT_NE(check(parsed({"--limit=5"}), json_only), "");
    EXPECT_NE(check(parsed({"--limit=5", "--limit=6"}), known), "");
    EXPECT_EQ(check(parsed({"--address=a", "--address=b"}), known), "");
}

} // namespace
} // namespace clinic::provisioning
