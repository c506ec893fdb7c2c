// The disk under the tests is judged itself: what it records, what a cut can leave, and what fails when.
#include "tests/crypto/fault_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "crypto/block_file.h"
#include "tests/crypto/power_cut.h"
#include "tests/crypto/store_files.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::crypto::tests {
namespace {

std::string text(const std::vector<std::byte>& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class FaultDiskTest : public testing::Test {
protected:
    void SetUp() override { std::filesystem::create_directory(folder_); }

    // All that many cuts after `events` leave of a file; "-" where it is not there.
    std::set<std::string> left(const FaultDisk& disk, std::size_t events, const char* name) {
        std::mt19937 random{5}; // NOLINT: the same cuts each run
        std::set<std::string> all;
        for (int i = 0; i < 400; ++i) {
            power_cut(disk, events, random, place_ / "cut");
            const auto file = place_ / "cut" / name;
            all.insert(std::filesystem::exists(file) ? text(contents(file)) : "-");
        }
        return all;
    }

    fakes::TempFolder place_;
    const std::filesystem::path folder_ = place_ / "disk";
    const std::filesystem::path file_ = folder_ / "file";
};

TEST_F(FaultDiskTest, KeepsWhatWasSyncedAndAnyPartOfTheRest) {
    put_contents(file_, base::as_bytes("....."));
    FaultDisk disk{folder_};
    {
        const auto file = BlockFile::open(file_);
        ASSERT_TRUE(file);
        ASSERT_TRUE(file->write(0, base::as_bytes("a")));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(file->write(1, base::as_bytes("b")));
        ASSERT_TRUE(file->write(2, base::as_bytes("c")));
        ASSERT_TRUE(file->write(1, base::as_bytes("d")));
    }
    disk.stop();
    ASSERT_EQ(disk.events(), 5U);
    EXPECT_EQ(left(disk, 0, "file"), (std::set<std::string>{"....."}));
    EXPECT_EQ(left(disk, 1, "file"), (std::set<std::string>{".....", "a...."}));
    EXPECT_EQ(left(disk, 2, "file"), (std::set<std::string>{"a...."}));
    EXPECT_EQ(left(disk, 5, "file"), (std::set<std::string>{"a....", "ab...", "a.c..", "abc..", "ad...", "adc.."}));
}

TEST_F(FaultDiskTest, TearsAtSectorsOf512AndOf4096) {
    FaultDisk disk{folder_};
    {
        const base::UniqueFd file{::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
        const base::UniqueFd itself{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        ASSERT_EQ(::fsync(itself.get()), 0);
        const std::string bytes(8'192, 'x');
        ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), 8'192);
    }
    disk.stop();
    std::set<std::size_t> edges;
    for (const auto& one : left(disk, disk.events(), "file"))
        for (std::size_t i = 1; i < one.size(); ++i)
            if (one[i] != one[i - 1]) edges.insert(i);
    EXPECT_EQ(edges.size(), 15U);
    for (const std::size_t edge : edges) EXPECT_EQ(edge % 512, 0U);
}

TEST_F(FaultDiskTest, ANameIsCertainWhenItsFolderIsSynced) {
    put_contents(file_, base::as_bytes("old"));
    FaultDisk disk{folder_};
    ASSERT_TRUE(base::write_durable(file_, base::as_bytes("new"), 0600));
    ASSERT_EQ(::unlink(file_.c_str()), 0);
    disk.stop();
    using Kind = DiskEvent::Kind;
    std::vector<Kind> kinds;
    for (const auto& event : disk.log()) kinds.push_back(event.kind);
    EXPECT_EQ(kinds, (std::vector<Kind>{Kind::create, Kind::write, Kind::sync, Kind::rename, Kind::sync_folder,
                                        Kind::remove}));
    EXPECT_EQ(left(disk, 3, "file"), (std::set<std::string>{"old"}));
    EXPECT_EQ(left(disk, 4, "file"), (std::set<std::string>{"old", "new"}));
    EXPECT_EQ(left(disk, 5, "file"), (std::set<std::string>{"new"}));
    EXPECT_EQ(left(disk, 6, "file"), (std::set<std::string>{"new", "-"}));
}

TEST_F(FaultDiskTest, AFolderItsNameAndWhatIsInItAreCertainEachByItself) {
    std::filesystem::create_directory(folder_ / "old");
    put_contents(folder_ / "old" / "kept", base::as_bytes("kept"));
    FaultDisk disk{folder_};
    const auto made = folder_ / "made", named = folder_ / "named";
    ASSERT_EQ(::mkdir(made.c_str(), 0700), 0);
    ASSERT_TRUE(base::write_durable(made / "file", base::as_bytes("new"), 0600));
    ASSERT_EQ(::rename(made.c_str(), named.c_str()), 0);
    const base::UniqueFd itself{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    ASSERT_EQ(::fsync(itself.get()), 0);
    ASSERT_EQ(::unlink((named / "file").c_str()), 0);
    ASSERT_EQ(::rmdir(named.c_str()), 0);
    disk.stop();
    using Kind = DiskEvent::Kind;
    std::vector<Kind> kinds;
    for (const auto& event : disk.log()) kinds.push_back(event.kind);
    EXPECT_EQ(kinds,
              (std::vector<Kind>{Kind::make_folder, Kind::create, Kind::write, Kind::sync, Kind::rename,
                                 Kind::sync_folder, Kind::rename, Kind::sync_folder, Kind::remove, Kind::remove}));
    const std::set<std::string> perhaps{"new", "-"};
    EXPECT_EQ(left(disk, 6, "made/file"), perhaps) << "its folder's name is not synced";
    EXPECT_EQ(left(disk, 7, "named/file"), perhaps);
    EXPECT_EQ(left(disk, 8, "named/file"), (std::set<std::string>{"new"}));
    EXPECT_EQ(left(disk, 8, "made/file"), (std::set<std::string>{"-"}));
    EXPECT_EQ(left(disk, 9, "named/file"), perhaps);
    EXPECT_EQ(left(disk, 10, "old/kept"), (std::set<std::string>{"kept"}));
}

TEST_F(FaultDiskTest, FailsTheCallThatWasAskedForOnceOrForGood) {
    put_contents(file_, base::as_bytes("....."));
    FaultDisk disk{folder_};
    const auto file = BlockFile::open(file_);
    ASSERT_TRUE(file);
    const auto write = [&] { return file->write(0, base::as_bytes("ab")).has_value(); };
    disk.fail(2, Fault::io, true);
    EXPECT_TRUE(write());
    EXPECT_FALSE(write());
    EXPECT_TRUE(disk.failed());
    EXPECT_TRUE(write());
    disk.fail(2, Fault::io, false);
    EXPECT_TRUE(write());
    EXPECT_FALSE(write());
    EXPECT_FALSE(write());

    disk.fail(1, Fault::full, true);
    std::array<std::byte, 2> read{};
    EXPECT_TRUE(file->read(0, read)); // needs no room
    ASSERT_TRUE(file->size());
    const auto full = file->write(3, base::as_bytes("xy"));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Errc::full);
    disk.fail(1, Fault::cut_short, true);
    const auto whole = file->read(0, read);
    ASSERT_TRUE(whole);
    EXPECT_FALSE(*whole);
    disk.fail(0, Fault::io, true);
    EXPECT_EQ(text(contents(file_)), "ab.x.");
}

} // namespace
} // namespace clinic::crypto::tests
