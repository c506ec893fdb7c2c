#include "sync/lane/rate_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "crypto/base/files.h"
#include "crypto/secure_bytes.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::lane {
namespace {

struct RateFiles : testing::Test {
    void SetUp() override { ASSERT_TRUE(crypto::start()); }
    RateFile file(std::string location = "ours") {
        const std::vector<std::byte> key(32, std::byte{1});
        return RateFile{{path, crypto::KeySlot::from_key(crypto::SecureBytes::copy_of(key)), "rate in a test"},
                        std::move(location)};
    }
    auto bytes() { return base::read_bytes(path, 4'096).value(); }
    fakes::TempFolder folder;
    std::filesystem::path path = folder / "rate.sealed";
    Day day{.max = 200'000, .remaining = 150'000, .at = {1'800'000'000'000'000}};
};

TEST_F(RateFiles, ADayComesBack) {
    EXPECT_FALSE(file().read());
    file().keep(day);
    EXPECT_EQ(file().read(), day);
}

TEST_F(RateFiles, IsWrittenForAHundredthOfTheDayOrANewProhibition) {
    auto one = file();
    one.keep(std::nullopt);
    EXPECT_FALSE(std::filesystem::exists(path));
    one.keep(day);
    const auto first = bytes();
    day.remaining -= 1'999;
    one.keep(day);
    EXPECT_EQ(bytes(), first);
    day.remaining -= 1;
    one.keep(day);
    const auto second = bytes();
    EXPECT_NE(second, first);
    day.not_before = day.at;
    one.keep(day);
    EXPECT_NE(bytes(), second);
}

TEST_F(RateFiles, ADayOfAnotherLocationIsNone) {
    file("theirs").keep(day);
    EXPECT_FALSE(file().read());
    file().keep(day);
    EXPECT_EQ(file().read(), day);
}

TEST_F(RateFiles, OneThatDoesNotOpenIsADayOfWhichNothingIsKnown) {
    std::ofstream{path} << "no such thing";
    EXPECT_FALSE(file().read());
    file().keep(day);
    EXPECT_EQ(file().read(), day);
}

} // namespace
} // namespace clinic::lane
