#include "crypto/base/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

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

TEST(Files, HasJustTheModeThatIsAskedForWhateverTheUmask) {
    const fakes::TempFolder folder;
    const auto mode_under = [&](mode_t mask, unsigned mode) {
        const auto before = umask(mask);
        EXPECT_TRUE(write_durable(folder / "a", as_bytes("x"), mode));
        umask(before);
        struct stat about {};
        EXPECT_EQ(stat((folder / "a").c_str(), &about), 0);
        return about.st_mode & 07777u;
    };
    for (const unsigned mode : {0644u, 0640u, 0600u})
        for (const mode_t mask : {0077u, 0027u, 0022u, 0u}) EXPECT_EQ(mode_under(mask, mode), mode) << mask;
}

TEST(Files, BelongsToWhomItIsGivenBeforeItHasItsName) {
    if (geteuid() != 0) GTEST_SKIP() << "only root gives files away";
    const fakes::TempFolder folder;
    ASSERT_TRUE(write_durable(folder / "a", as_bytes("x"), 0640, Owner{4'711, 4'712}));
    struct stat about {};
    ASSERT_EQ(stat((folder / "a").c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, 4'711u);
    EXPECT_EQ(about.st_gid, 4'712u);
    EXPECT_EQ(about.st_mode & 07777u, 0640u);
}

TEST(Files, SaysWhatTheSystemRefusesAndWhatHelps) {
    EXPECT_EQ(file_error("x", ENOSPC).code, Errc::full);
    EXPECT_NE(std::string{file_error("x", ENOSPC).remedy.c_str()}.find("disk.space"), std::string::npos);
    EXPECT_NE(std::string{file_error("x", EROFS).remedy.c_str()}.find("disk.writable"), std::string::npos);
    EXPECT_NE(std::string{write_durable("/no/such/folder/x", {}, 0600).error().remedy.c_str()}.find("folder"),
              std::string::npos);
    for (const int why : {EDQUOT, EACCES, EPERM, EIO}) {
        EXPECT_NE(std::string{file_error("x", why).remedy.c_str()}, "") << why;
        EXPECT_EQ(file_error("x", why).native, why);
    }
}

TEST(Files, SaysWhatIsWrong) {
    const fakes::TempFolder folder;
    EXPECT_EQ(read_text(folder / "none", 10).error().code, Errc::not_found);
    ASSERT_TRUE(write_durable(folder / "a", as_bytes("second"), 0600));
    EXPECT_EQ(read_text(folder / "a", 5).error().code, Errc::full);
}

} // namespace
} // namespace clinic::base
