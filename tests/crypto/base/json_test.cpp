#include "crypto/base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace clinic::base {
namespace {

TEST(Json, ReadsWhatIsRight) {
    const auto value = parse_json(R"({"a":[1,{"b":"]}"}],"c":null})", 100, 3);
    ASSERT_TRUE(value);
    EXPECT_EQ((*value)["a"][1]["b"], "]}");
}

TEST(Json, RefusesAKeyTwiceInOneObjectAtAnyDepth) {
    EXPECT_EQ(parse_json(R"({"a":1,"a":2})", 100, 3).error().code, Errc::malformed);
    EXPECT_EQ(parse_json(R"({"x":{"a":1,"a":2}})", 100, 3).error().code, Errc::malformed);
    EXPECT_TRUE(parse_json(R"([{"a":1},{"a":2}])", 100, 3));
}

TEST(Json, RefusesDepthLengthAndRubbish) {
    EXPECT_EQ(parse_json(std::string(100'000, '['), 1'000'000, 8).error().code, Errc::full);
    EXPECT_EQ(parse_json("[[[1]]]", 100, 2).error().code, Errc::full);
    EXPECT_TRUE(parse_json("[[1],[[2]]]", 100, 3));
    EXPECT_EQ(parse_json("[1,2,3]", 6, 8).error().code, Errc::full);
    for (const char* bad : {"", "{", "{\"a\":}", "[1] 2", "nul", "\xff", "\"\xff\"", "[1e999]", "[/**/1]", "]", "}"})
        EXPECT_EQ(parse_json(bad, 100, 3).error().code, Errc::malformed) << bad;
}

// The time that a test may take is the bound: a reader whose time grows with the square of the list needs hours.
TEST(Json, ReadsALongListOfObjects) {
    constexpr std::size_t objects = 500'000;
    std::string text = "[{}";
    for (std::size_t object = 1; object < objects; ++object) text += ",{}";
    text += "]";
    const auto value = parse_json(text, text.size(), 2);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->size(), objects);
}

TEST(Json, WritingNeverThrows) {
    EXPECT_EQ(dump_json(nlohmann::json("\xff")), "\"\xEF\xBF\xBD\"");
}

} // namespace
} // namespace clinic::base
