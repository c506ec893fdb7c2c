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
    EXPECT_EQ(parse_json("[1,2,3]", 6, 8).error().code, Errc::full);
    for (const char* bad : {"", "{", "{\"a\":}", "[1] 2", "nul", "\xff"})
        EXPECT_EQ(parse_json(bad, 100, 3).error().code, Errc::malformed) << bad;
}

TEST(Json, WritingNeverThrows) {
    EXPECT_EQ(dump_json(nlohmann::json("\xff")), "\"\xEF\xBF\xBD\"");
}

} // namespace
} // namespace clinic::base
