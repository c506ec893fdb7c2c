// A saved store put back in the place of the one that lies there: whole, or not at all, and said so meanwhile.
#include "daemon/records/salvage/restore.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/records/restoring.h"
#include "daemon/records/salvage/mend_keys.h"
#include "tests/crypto/pretended_file_system.h"
#include "tests/daemon/records/salvage/salvage_fixture.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;

class RestoreTest : public SalvageTest {
protected:
    Result<Restored> put_back(const fs::path& from) { return restore(old(), from, records::slot_of('k'), clock_); }
    void save() {
        const auto done = salvage(old(), saved(), records::slot_of('k'), clock_);
        ASSERT_TRUE(done) << done.error().what.c_str();
    }
    // As somebody keeps a folder by hand.
    fs::path copy() const {
        const auto to = folder_ / "copy";
        fs::copy(old(), to, fs::copy_options::recursive);
        return to;
    }
    fs::path mark() const { return old() / records::restoring_name; }
    // What the box would do.
    Errc opens() {
        auto opened = records::Store::open({.folder = old()}, records::slot_of('k'), clock_);
        return opened ? Errc::unknown : opened.error().code;
    }
    std::vector<std::string> policy() const {
        return records::RawDatabase{old(), records::slot_of('k')}.texts(
            "SELECT value FROM setting WHERE key = 'policy'");
    }
    std::string newest_entry() const {
        return records::RawDatabase{old(), records::slot_of('k')}
            .texts("SELECT detail FROM audit_link ORDER BY number DESC LIMIT 1")
            .front();
    }
    // As it is when the copy of `kept` is whole, and no name has changed.
    void begin_moving(const fs::path& kept) const {
        fs::remove_all(old());
        fs::copy(kept, old(), fs::copy_options::recursive);
        fs::copy(kept, old() / "restored.new", fs::copy_options::recursive);
        fs::create_directory(old() / "replaced-1");
        nlohmann::json coming = nlohmann::json::object();
        for (const char* name : {"records.db", "keys.db"}) {
            struct stat about {};
            ASSERT_EQ(stat((old() / "restored.new" / name).c_str(), &about), 0);
            coming[name] = about.st_ino;
        }
        put(mark(), nlohmann::json{{"step", "moving"},
                                   {"basis_closed", true},
                                   {"keeps_keys", false},
                                   {"from", fs::canonical(kept).string()},
                                   {"replaced", "replaced-1"},
                                   {"coming", coming}}
                        .dump());
    }
    std::size_t patients() const { return dump(old()).at("patient").size(); }
};

TEST_F(RestoreTest, ASalvageTakesThePlaceOfTheDamagedStore) {
    damage(root_of("raw_message"));
    save();
    const auto restored = put_back(saved());
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_FALSE(restored->basis_closed) << "what was lost with it, the salvage has said itself";
    EXPECT_FALSE(restored->went_on);
    EXPECT_EQ(restored->replaced, "replaced-1");
    EXPECT_TRUE(fs::exists(old() / "replaced-1" / "records.db"));
    EXPECT_TRUE(fs::exists(old() / "salvage.sealed"));
    EXPECT_FALSE(fs::exists(mark()));
    EXPECT_FALSE(fs::exists(old() / "restored.new"));
    EXPECT_EQ(newest_entry(), "restore: of a salvage");
    EXPECT_EQ(opens(), Errc::unknown);
}

// What clinicd would not open there. A copy on one is read all the same.
TEST_F(RestoreTest, OnANetworksFileSystemNothingIsPutInPlaceOrMended) {
    constexpr long nfs = 0x6969;
    const auto kept = copy();
    flip(keys(), crypto::key_slot_offset(7) + 30);
    const auto before = content(keys());
    {
        const clinic::tests::PretendedFileSystem network{nfs, old().string()};
        const auto restored = put_back(kept);
        ASSERT_FALSE(restored);
        EXPECT_EQ(restored.error().code, Errc::unsupported);
        const auto mended = mend_keys(old(), kept / "keys.db", records::slot_of('k'));
        ASSERT_FALSE(mended);
        EXPECT_EQ(mended.error().code, Errc::unsupported);
        EXPECT_TRUE(check(old(), records::slot_of('k'))) << "which reads alone";
        EXPECT_TRUE(try_salvage());
    }
    EXPECT_EQ(content(keys()), before);
    EXPECT_FALSE(fs::exists(mark()));
    EXPECT_FALSE(fs::exists(old() / "replaced-1"));
    const clinic::tests::PretendedFileSystem network{nfs, kept.string()};
    EXPECT_TRUE(mend_keys(old(), kept / "keys.db", records::slot_of('k')));
    EXPECT_TRUE(put_back(kept));
}

// It says nothing that is not known: whoever opens the keystore writes it anew.
TEST_F(RestoreTest, AKeystoresDamagedHeaderKeepsNoStoreAway) {
    const auto kept = copy();
    damage(leaves_of("raw_message").at(0));
    flip(keys(), 100);
    flip(kept / "keys.db", 200);
    const auto restored = put_back(kept);
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_FALSE(restored->keys_of_the_copy);
    EXPECT_EQ(opens(), Errc::unknown);
}

// A copy of another line has a key in each slot, and none is the person's.
TEST_F(RestoreTest, KeysAreMendedByThoseThatOpenThePersonsData) {
    const auto kept = copy();
    const auto foreign = folder_ / "foreign.db";
    {
        const auto of = image();
        ASSERT_TRUE(crypto::Keystore::open(foreign, of.subkey(100), of.superblock().store, crypto::IfAbsent::create));
    }
    for (const std::int64_t slot : {7, 8}) flip(keys(), crypto::key_slot_offset(slot) + 30);
    const auto by_foreign = mend_keys(old(), foreign, records::slot_of('k'));
    ASSERT_TRUE(by_foreign) << by_foreign.error().what.c_str();
    EXPECT_EQ(by_foreign->mended, 0);
    EXPECT_EQ(by_foreign->damaged, 2);
    const auto by_own = mend_keys(old(), kept / "keys.db", records::slot_of('k'));
    ASSERT_TRUE(by_own);
    EXPECT_EQ(by_own->mended, 2);
    EXPECT_EQ(by_own->damaged, 0);
}

TEST_F(RestoreTest, ACopyMayBeOlderSoNothingLeavesAfterIt) {
    const auto kept = copy();
    reopen();
    upsert(records::person("later", "Later"));
    store_.reset();
    const auto restored = put_back(kept);
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_TRUE(restored->basis_closed);
    EXPECT_TRUE(policy().empty());
    EXPECT_EQ(newest_entry(), "restore: may be older");
    EXPECT_EQ(patients(), static_cast<std::size_t>(people)) << "as the copy has it";
    EXPECT_EQ(opens(), Errc::unknown);
}

TEST_F(RestoreTest, ASalvageOfWhatItWasBeforeMayBeOlderToo) {
    save();
    reopen();
    upsert(records::person("later", "Later"));
    store_.reset();
    const auto restored = put_back(saved());
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_TRUE(restored->basis_closed);
    EXPECT_TRUE(policy().empty());
}

TEST_F(RestoreTest, TheKeyOfSomebodyErasedSinceDoesNotComeBack) {
    const auto kept = copy();
    const auto before = content(kept / "keys.db");
    reopen();
    const auto who = upsert(records::person("0", "Family0"));
    ASSERT_TRUE(with([&](records::Transaction& txn, const records::Disclosure& why) {
        return records::erase_patient(txn, why, who.id, [](records::PatientId) { return Result<void>{}; });
    }));
    store_.reset();
    ASSERT_NE(content(keys()), before);
    ASSERT_TRUE(put_back(kept));
    EXPECT_NE(content(keys()), before);
    EXPECT_FALSE(fs::exists(old() / "replaced-1" / "keys.db")) << "no second keystore in which nobody is erased";
    reopen();
    EXPECT_EQ(facts(who.id).status, records::PatientStatus::erased) << "and what the copy had of them is gone";
    EXPECT_TRUE(find("number", "HOSP|0").empty());
}

TEST_F(RestoreTest, WhereTheKeystoreIsLostTheCopysCounts) {
    const auto kept = copy();
    fs::remove(keys());
    const auto restored = put_back(kept);
    ASSERT_TRUE(restored);
    EXPECT_TRUE(restored->keys_of_the_copy);
    EXPECT_EQ(opens(), Errc::unknown);
}

TEST_F(RestoreTest, AnEmptyFolderTakesACopy) {
    const auto kept = copy();
    for (const auto& entry : fs::directory_iterator{old()}) fs::remove(entry.path());
    const auto restored = put_back(kept);
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_TRUE(restored->basis_closed);
    EXPECT_EQ(opens(), Errc::unknown);
}

TEST_F(RestoreTest, WhatIsDamagedItselfOrAnotherBoxsIsRefusedAndNothingChanges) {
    const auto kept = copy();
    flip(kept / "records.db", crypto::page_offset(root_of("patient")) + 100);
    auto refused = put_back(kept);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::tampered);
    EXPECT_EQ(put_back(old()).error().code, Errc::refused) << "into itself";
    EXPECT_EQ(put_back(folder_ / "nowhere").error().code, Errc::not_found);
    fs::remove_all(kept);
    const auto other = folder_ / "other";
    {
        auto made = records::Store::open({.folder = other, .make = true}, records::slot_of('k'), clock_);
        ASSERT_TRUE(made);
    }
    EXPECT_EQ(put_back(other).error().code, Errc::conflict);
    EXPECT_EQ(restore(old(), other, records::slot_of('o'), clock_).error().code, Errc::locked);
    EXPECT_EQ(content(database()), sound_bytes_);
    EXPECT_FALSE(fs::exists(mark()));
    EXPECT_EQ(opens(), Errc::unknown);
}

// It is no part of the store: what it holds is set aside already.
TEST_F(RestoreTest, ARecordOfWhatWasSetAsideThatDoesNotOpenKeepsNoStoreAway) {
    damage(root_of("raw_message"));
    save();
    flip(saved() / aside_file, 60);
    const auto restored = put_back(saved());
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_TRUE(check(old(), records::slot_of('k'))->salvage_record_damaged);
    EXPECT_EQ(opens(), Errc::unknown);
}

TEST_F(RestoreTest, NotWhileSomebodyHasTheStoreOpen) {
    const auto kept = copy();
    reopen();
    EXPECT_EQ(put_back(kept).error().code, Errc::refused);
    EXPECT_FALSE(fs::exists(mark()));
}

TEST_F(RestoreTest, MeanwhileNobodyOpensWhatLiesThere) {
    put(mark(), R"({"step":"copying"})");
    EXPECT_EQ(opens(), Errc::busy);
    const auto kept = copy();
    fs::remove(kept / records::restoring_name);
    const auto restored = put_back(kept);
    ASSERT_TRUE(restored) << restored.error().what.c_str();
    EXPECT_TRUE(restored->went_on);
    EXPECT_EQ(opens(), Errc::unknown);
}

// A kill, as a power cut: what lies there is the one or the other store, or is said to be put back; and it goes on.
TEST_F(RestoreTest, KilledAtAnyMomentItGoesOn) {
    save();
    std::set<std::string> seen; // how it was found
    for (int at_us = 0; seen.size() < 3 && at_us < 4'000'000; at_us += at_us / 16 + 500) {
        const auto child = fork();
        if (child == 0) _exit(put_back(saved()) ? 0 : 1);
        usleep(static_cast<useconds_t>(at_us)); // the moment is what is tried
        kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        const bool ended = WIFEXITED(status);
        ASSERT_TRUE(!ended || WEXITSTATUS(status) == 0);
        const bool marked = fs::exists(mark());
        seen.insert(ended ? "ended" : marked ? "cut off" : "not begun");
        EXPECT_EQ(opens(), marked ? Errc::busy : Errc::unknown) << at_us;
        if (marked) {
            const auto then = put_back(saved());
            ASSERT_TRUE(then) << then.error().what.c_str() << " after " << at_us << " us";
            EXPECT_TRUE(then->went_on);
        }
        ASSERT_EQ(opens(), Errc::unknown) << at_us;
        ASSERT_EQ(patients(), static_cast<std::size_t>(people)) << at_us;
    }
    EXPECT_TRUE(seen.contains("cut off"));
}

// Each change of a name may be the last before the cut; what is old goes out first.
TEST_F(RestoreTest, CutOffBetweenAnyTwoNamesItGoesOn) {
    const fs::path begun = old() / "restored.new", aside = old() / "replaced-1";
    const auto kept = copy();
    const std::vector<std::pair<fs::path, fs::path>> renames = {
        {old() / "records.db", aside / "records.db"},
        {old() / "keys.db", aside / "keys.db"},
        {begun / "records.db", old() / "records.db"},
        {begun / "keys.db", old() / "keys.db"},
    };
    for (std::size_t done = 0; done <= renames.size(); ++done) {
        begin_moving(kept);
        for (std::size_t i = 0; i < done; ++i) fs::rename(renames[i].first, renames[i].second);
        EXPECT_EQ(opens(), Errc::busy);
        const auto then = put_back(kept);
        ASSERT_TRUE(then) << done << ": " << then.error().what.c_str();
        EXPECT_TRUE(then->basis_closed);
        EXPECT_EQ(content(aside / "records.db"), sound_bytes_) << done;
        EXPECT_EQ(opens(), Errc::unknown) << done;
        EXPECT_EQ(patients(), static_cast<std::size_t>(people)) << done;
    }
}

TEST_F(RestoreTest, WithoutItsCopyACutOneTouchesNothing) {
    const auto kept = copy();
    begin_moving(kept);
    fs::remove_all(old() / "restored.new");
    EXPECT_EQ(put_back(kept).error().code, Errc::corrupt);
    EXPECT_EQ(content(database()), sound_bytes_);
    EXPECT_EQ(opens(), Errc::busy);
}

TEST_F(RestoreTest, ACutOneIsNotGoneOnWithByAnotherFolder) {
    const auto kept = copy();
    begin_moving(kept);
    EXPECT_EQ(put_back(folder_ / "another").error().code, Errc::conflict);
    EXPECT_EQ(content(database()), sound_bytes_);
}

// The folder is its owner's, who may write what they like there: the mark is believed in our own words alone.
TEST_F(RestoreTest, AMarkThatWeHaveNotWrittenIsRefused) {
    const auto kept = copy();
    const std::string from = fs::canonical(kept).string();
    const auto mark_of = [&](const std::string& replaced, const std::string& coming) {
        return R"({"step":"moving","basis_closed":true,"keeps_keys":false,"from":")" + from + R"(","replaced":)" +
               replaced + R"(,"coming":)" + coming + "}";
    };
    for (const auto& said :
         {std::string{"no object"}, std::string{"[]"}, std::string{R"({"step":7})"}, mark_of(R"("/etc")", "{}"),
          mark_of(R"("../..")", "{}"), mark_of(R"("")", "{}"), mark_of(R"("replaced-")", "{}"), mark_of("7", "{}"),
          mark_of(R"("replaced-1")", R"({"../x":7})"), mark_of(R"("replaced-1")", R"({"records.db":"7"})")}) {
        put(mark(), said);
        const auto refused = put_back(kept);
        ASSERT_FALSE(refused) << said;
        EXPECT_EQ(refused.error().code, Errc::tampered) << said;
        EXPECT_EQ(content(database()), sound_bytes_) << said;
    }
}

TEST_F(RestoreTest, WhatIsPutBackIsItsOwnersAlone) {
    const auto kept = copy();
    fs::permissions(kept / "records.db", fs::perms{0444});
    ASSERT_TRUE(put_back(kept));
    EXPECT_EQ(fs::status(database()).permissions(), fs::perms{0600});
}

} // namespace
} // namespace clinic::salvage
