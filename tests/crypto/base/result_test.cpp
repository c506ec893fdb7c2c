#include "crypto/base/result.h"

#include <gtest/gtest.h>

#include <string>
#include <type_traits>

namespace clinic {
namespace {

static_assert(!std::is_constructible_v<Literal, std::string>);
static_assert(!std::is_constructible_v<Error, Errc, std::string>);

Result<int> half(int value) {
    if (value % 2 != 0) return Error{Errc::malformed, "not even", "send an even number", {.field = 3}};
    return value / 2;
}

Result<int> quarter(int value) {
    const auto first = half(value);
    CLINIC_TRY(first);
    return half(*first);
}

TEST(Result, CarriesAValueOrAnError) {
    EXPECT_EQ(*half(4), 2);
    const auto odd = half(3);
    ASSERT_FALSE(odd);
    EXPECT_EQ(odd.error().code, Errc::malformed);
    EXPECT_STREQ(odd.error().what.c_str(), "not even");
    EXPECT_EQ(odd.error().at.field, 3);
}

TEST(Result, TryHandsTheErrorOn) {
    EXPECT_EQ(*quarter(8), 2);
    EXPECT_FALSE(quarter(6));
    EXPECT_FALSE(quarter(5));
}

TEST(ResultDeathTest, AskingAnErrorForItsValueStopsTheProcess) {
    EXPECT_DEATH(static_cast<void>(half(3).value()), "");
}

} // namespace
} // namespace clinic
