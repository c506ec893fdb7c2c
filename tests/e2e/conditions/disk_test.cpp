// A disk or a store that is not as it should be: a named mode with cause and next step, nothing acknowledged lost, and
// back by itself where time or a person can mend it.
#include <sys/mount.h>

#include <algorithm>
#include <fstream>

#include "tests/e2e/conditions/room.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;

class Disk : public Conditions {
protected:
    // What a closed box says, everywhere it is asked.
    static void expect_closed(const std::string& wanted, const std::string& code) {
        EXPECT_TRUE(eventually([&] { return is(wanted) && needs(code); }, 60)) << box().status().dump();
        const auto told = need(code);
        EXPECT_NE(told["cause"], "");
        EXPECT_NE(told["action"], "");
        EXPECT_NE(box().page("/api/health").find("503"), std::string::npos);
        const auto terminal = box().ctl("status");
        EXPECT_EQ(terminal.exit, 2);
        EXPECT_NE(terminal.out.find(code), std::string::npos);
        EXPECT_EQ(send(), "AE");
    }
};

TEST_F(Disk, AKeyThatIsNotThereLocksTheRecordsUntilItIs) {
    int process = 0;
    while_closed([&] {
        process = process_of(box(), "clinicd");
        expect_closed("locked", "E2001");
        const auto refused = box().ctl("basis show");
        EXPECT_EQ(refused.exit, 2);
        EXPECT_NE(refused.out.find("the records are closed"), std::string::npos) << refused.out;
        // Central ops hear of it, though nothing is leased.
        EXPECT_TRUE(eventually(
            [] { return box().mqtt("clinic/+/up/v1/metrics", 1).find(R"("mode":"locked")") != std::string::npos; },
            90));
    });
    EXPECT_TRUE(eventually([] { return is("running"); }));
    EXPECT_EQ(process_of(box(), "clinicd"), process) << "a restart is not needed for it";
}

TEST_F(Disk, AWrongKeyIsNamedAndNoNewStoreIsMade) {
    const auto key = box().folder() / "keys" / "store.key";
    const auto size = fs::file_size(records() / "records.db");
    while_closed([&] {
        std::ofstream{key} << std::string(64, 'a') << '\n';
        expect_closed("locked", "E2001");
        EXPECT_TRUE(eventually([] { return need("E2001")["cause"] == "the key does not open the store"; }));
        EXPECT_GE(fs::file_size(records() / "records.db"), size);
    });
}

struct Damaged {
    const char* name;
    std::string (*to)(std::string sound);
};

class DamagedFile : public Disk, public testing::WithParamInterface<Damaged> {};

TEST_P(DamagedFile, IsSaidAndTheBackupMendsIt) {
    const auto file = records() / "records.db";
    std::string sound;
    const auto put = [&](const std::string& bytes) {
        std::fstream{file, std::ios::in | std::ios::out | std::ios::binary} << bytes;
        fs::resize_file(file, bytes.size());
    };
    // A page that has a newer version in the WAL is written over, whatever became of it.
    ASSERT_TRUE(eventually([] { return box().status()["store"]["wal_bytes"] == 0; })) << box().status()["store"].dump();
    while_closed([&] {
        std::ifstream in{file, std::ios::binary};
        sound.assign(std::istreambuf_iterator<char>{in}, {});
        put(GetParam().to(sound));
    });
    expect_closed("damaged", "E2002");
    put(sound);
    restart("clinicd");
}

constexpr std::size_t page = 4'096; // docs/store-format.md

std::string with_a_flipped_bit(std::string sound) {
    sound[sound.size() / 2] ^= 1;
    return sound;
}
std::string with_two_pages_swapped(std::string sound) {
    const auto last = sound.end() - page;
    std::swap_ranges(last - page, last, last);
    return sound;
}
std::string without_its_end(std::string sound) {
    sound.resize(sound.size() - 2 * page);
    return sound;
}

INSTANTIATE_TEST_SUITE_P(Each, DamagedFile,
                         testing::Values(Damaged{"flipped_bit", with_a_flipped_bit},
                                         Damaged{"swapped_pages", with_two_pages_swapped},
                                         Damaged{"cut_off", without_its_end}),
                         [](const auto& one) { return std::string{one.param.name}; });

// As when its disk is not mounted: nothing new is started, and what comes back is opened.
TEST_F(Disk, RecordsThatAreNotThereAreWaitedFor) {
    const auto away = box().folder() / "records-away";
    const auto move_all = [](const fs::path& from, const fs::path& to) {
        for (const auto& entry : fs::directory_iterator{from}) fs::rename(entry.path(), to / entry.path().filename());
    };
    fs::create_directory(away);
    while_closed([&] { move_all(records(), away); });
    expect_closed("damaged", "E2015");
    EXPECT_FALSE(fs::exists(records() / "records.db"));
    const int process = process_of(box(), "clinicd");
    fs::remove_all(records() / "records.db.lock");
    move_all(away, records());
    EXPECT_TRUE(eventually([] { return is("running"); }));
    EXPECT_EQ(process_of(box(), "clinicd"), process);
}

TEST_F(Disk, RecordsThatCannotBeWrittenAreSaidAndTriedAgain) {
    if (!as_root()) GTEST_SKIP() << "mounting needs root";
    while_closed([] {
        ASSERT_EQ(mount(records().c_str(), records().c_str(), nullptr, MS_BIND, nullptr), 0);
        ASSERT_EQ(mount(nullptr, records().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
    });
    expect_closed("damaged", "E2011");
    const int process = process_of(box(), "clinicd");
    ASSERT_EQ(umount2(records().c_str(), MNT_DETACH), 0);
    EXPECT_TRUE(eventually([] { return is("running"); }));
    EXPECT_EQ(process_of(box(), "clinicd"), process);
}

// The store moves to a file system of a few megabytes, and home again.
class SmallDisk : public Disk {
protected:
    void SetUp() override {
        if (!as_root()) GTEST_SKIP() << "mounting needs root";
        home_ = box().folder() / "records-home";
        while_closed([&] {
            const fs::path copy = home_;
            run("cp -a '" + records().string() + "' '" + copy.string() + "'");
            ASSERT_EQ(mount("tmpfs", records().c_str(), "tmpfs", 0, "size=12m,mode=0700,uid=61701,gid=61701"), 0);
            run("cp -a '" + copy.string() + "/.' '" + records().string() + "/'");
        });
        restart("clinicd"); // it may write in the folder that it started with, and nowhere else
        ASSERT_TRUE(eventually([] { return is("running"); }));
    }
    void TearDown() override {
        if (!as_root()) return;
        Disk::TearDown();
        while_closed([&] {
            run("cp -a '" + records().string() + "/.' '" + home_.string() + "/'");
            ASSERT_EQ(umount2(records().c_str(), MNT_DETACH), 0);
            run("cp -a '" + home_.string() + "/.' '" + records().string() + "/'");
        });
        restart("clinicd");
        fs::remove_all(home_);
        EXPECT_TRUE(eventually([] { return is("running") && stored_is_acknowledged(); }, 60));
    }
    static void fill() {
        std::ofstream out{records() / "filler", std::ios::binary};
        const std::string block(65'536, 'x');
        while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
        }
    }
    fs::path home_;
};

TEST_F(SmallDisk, AFullDiskRefusesKeepsAndGoesOnWhenThereIsRoom) {
    const int process = process_of(box(), "clinicd");
    fill();
    // What still finds room is stored and acknowledged, the rest is neither: TearDown counts.
    EXPECT_TRUE(eventually([] { return send() == "AE"; }, 60));
    expect_closed("full", "E2003");
    EXPECT_EQ(need("E2003")["cause"], "there is no room left on the records' disk");
    fs::remove(records() / "filler");
    EXPECT_TRUE(eventually([] { return is("running"); }));
    EXPECT_EQ(process_of(box(), "clinicd"), process) << "a restart is not needed for it";
}

TEST_F(SmallDisk, ABoxThatStartsOnAFullDiskComesUpInItsModeAndOpensWhenThereIsRoom) {
    fill();
    EXPECT_TRUE(eventually([] { return send() == "AE"; }, 60));
    restart("clinicd");
    EXPECT_TRUE(eventually([] { return !box().status().empty(); }));
    EXPECT_TRUE(eventually([] { return send() == "AE"; }, 60));
    EXPECT_TRUE(eventually([] { return is("full"); }, 60)) << box().status().dump();
    fs::remove(records() / "filler");
    EXPECT_TRUE(eventually([] { return is("running"); }));
}

} // namespace
} // namespace clinic::e2e
