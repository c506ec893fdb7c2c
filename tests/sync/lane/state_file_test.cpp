#include "sync/lane/state_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "crypto/base/files.h"
#include "crypto/secure_bytes.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::lane {
namespace {

crypto::KeySlot slot(std::byte fill) {
    std::vector<std::byte> key(32, fill);
    return crypto::KeySlot::from_key(crypto::SecureBytes::copy_of(key));
}

struct StateFiles : testing::Test {
    void SetUp() override { ASSERT_TRUE(crypto::start()); }
    std::unique_ptr<StateFile> open(std::byte fill = std::byte{1}) {
        auto file = StateFile::open(folder.path(), slot(fill), clock);
        EXPECT_TRUE(file);
        return file ? std::move(*file) : nullptr;
    }
    fakes::TempFolder folder;
    fakes::ManualClock clock;
};

TEST_F(StateFiles, NumbersGrowAcrossRestarts) {
    const auto first = *open()->next_session();
    const auto second = *open()->next_session();
    EXPECT_EQ(second, first + 1);
    const auto sequence = *open()->next_sequence();
    EXPECT_EQ(*open()->next_sequence(), sequence + 1);
    EXPECT_EQ(*open()->next_session(), second + 1);
}

TEST_F(StateFiles, SeveralNumbersAreTakenAtOnceAndNoneTwice) {
    const auto first = *open()->next_sequences(32);
    EXPECT_EQ(*open()->next_sequence(), first + 32);
}

TEST_F(StateFiles, WritesOnceForManyNumbersAndRepeatsNoneAfterACrash) {
    const auto bytes = [&] { return base::read_bytes(folder / "state.sealed", 4'096).value(); };
    auto file = open();
    const auto first = *file->next_sequence();
    const auto written = bytes();
    for (int i = 0; i < 240; ++i) EXPECT_TRUE(file->next_sequence());
    EXPECT_EQ(bytes(), written);
    EXPECT_TRUE(file->next_sequence());
    EXPECT_NE(bytes(), written);
    const auto crashed = *open()->next_sequence(); // while the other one lives: its file is as a crash leaves it
    EXPECT_GT(crashed, first + 241);
}

TEST_F(StateFiles, ALostFileCountsOnAboveWhatItHadReached) {
    const auto before = *open()->next_session();
    std::filesystem::remove(folder / "state.sealed");
    clock.advance(std::chrono::hours{1});
    EXPECT_GT(*open()->next_session(), before);
}

TEST_F(StateFiles, ALostFileUnderAClockOfNoUseCountsFromTheReleaseOn) {
    clock.set(Timestamp{}); // 1970
    EXPECT_GT(*open()->next_session(), base::this_release.micros / 1'000'000);
}

TEST_F(StateFiles, AFileThatDoesNotOpenIsSetAsideAndCountedAbove) {
    const auto before = *open()->next_session();
    clock.advance(std::chrono::hours{1});
    EXPECT_GT(*open(std::byte{2})->next_session(), before);
    EXPECT_TRUE(std::filesystem::exists(folder / "state.sealed.unreadable"));
}

TEST_F(StateFiles, HoldsNothingInTheClear) {
    open();
    const auto text = base::read_text(folder / "state.sealed", 4'096);
    ASSERT_TRUE(text);
    EXPECT_EQ(text->find("session"), std::string::npos);
}

TEST_F(StateFiles, AFolderThatIsNotThereIsAnError) {
    EXPECT_FALSE(StateFile::open(folder / "absent", slot(std::byte{1}), clock));
}

} // namespace
} // namespace clinic::lane
