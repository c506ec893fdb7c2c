#include "crypto/base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/fakes/temp_folder.h"

namespace clinic::base {
namespace {

TEST(Files, WritesDurablyAndReadsBack) {
    const fakes::TempFolder folder;
    ASSERT_TRUE(write_durable(folder / "a", as_bytes("first"), 0600));
    ASSERT_TRUE(write_durable(folder / "a", as_bytes("second"), 0600));
    EXPECT_EQ(*read_text(folder / "a", 6), "second");
    EXPECT_FALSE(std::filesystem::exists(folder / "a.new"));
    struct stat about {};
    ASSERT_EQ(stat((folder / "a").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777u, 0600u);
}

TEST(Files, SaysWhatIsWrong) {
    const fakes::TempFolder folder;
    EXPECT_EQ(read_text(folder / "none", 10).error().code, Errc::not_found);
    ASSERT_TRUE(write_durable(folder / "a", as_bytes("second"), 0600));
    EXPECT_EQ(read_text(folder / "a", 5).error().code, Errc::full);
}

} // namespace
} // namespace clinic::base
