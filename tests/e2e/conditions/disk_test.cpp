// A disk or a store that is not as it should be: a named mode with cause and next step, nothing acknowledged lost, and
// back by itself where time or a person can mend it.
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "daemon/records/salvage/survey.h"
#include "tests/daemon/records/raw_database.h"
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
    ASSERT_TRUE(nothing_is_in_the_wal()) << box().status().dump();
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

// What a technician does to a store whose files the box's own user has.
class Technician : public Disk {
protected:
    static fs::path key() { return box().folder() / "keys" / "store.key"; }
    static crypto::KeySlot slot() { return *crypto::KeySlot::from_credential_file(key().string() + ".away"); }
    static void flip(std::uint64_t at) { flip(records() / "records.db", at); }
    static void flip(const fs::path& path, std::uint64_t at) {
        std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
        file.seekg(static_cast<std::streamoff>(at));
        const int byte = file.get();
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(byte ^ 1));
    }
    // The closed store's SQL, as its owner's.
    static void change_store(const char* sql) {
        with_store([&](records::RawDatabase& store) { store.run(sql); });
    }
    static void with_store(const std::function<void(records::RawDatabase&)>& look) {
        struct stat about {};
        ASSERT_EQ(stat((records() / "records.db").c_str(), &about), 0);
        const auto give = [](uid_t user, gid_t group) {
            for (const auto& entry : fs::directory_iterator{records()})
                ASSERT_EQ(chown(entry.path().c_str(), user, group), 0);
        };
        give(geteuid(), getegid());
        {
            records::RawDatabase store{records(), slot()};
            look(store);
        }
        give(about.st_uid, about.st_gid);
    }
    static std::string folders() { return "--records " + records().string() + " --credential " + key().string(); }
    static fs::path saved() { return box().folder() / "saved"; }

    // A page of that tree, flipped in the closed store. Answers its number.
    static std::uint64_t damage(const std::string& tree) {
        EXPECT_TRUE(nothing_is_in_the_wal());
        std::uint64_t lost = 0;
        while_closed([&] {
            const auto image = crypto::StoreImage::open(records() / "records.db", slot());
            ASSERT_TRUE(image);
            lost = salvage::survey(*image).find(tree)->root;
            flip(crypto::page_offset(lost) + 7);
        });
        return lost;
    }
    // The way out stands wherever somebody looks.
    static void expect_the_way_out(const std::string& cause) { // and what is lost, where a page is
        EXPECT_TRUE(eventually([&] { return need("E2002")["cause"] == cause; })) << need("E2002").dump();
        const auto told = need("E2002");
        for (const char* where : {"action", "remedy"})
            EXPECT_NE(told[where].get<std::string>().find("clinicctl store salvage"), std::string::npos) << told.dump();
        const auto page = box().page("/");
        EXPECT_NE(page.find(cause), std::string::npos);
        EXPECT_NE(page.find("clinicctl store check"), std::string::npos);
        EXPECT_NE(box().ctl("status").out.find("clinicctl store salvage"), std::string::npos);
        EXPECT_NE(box().send(adt("A28", "CLOSED", "NCLOSED", "Quillfeather", "Ottoline")).find("damaged"),
                  std::string::npos);
    }
    // What `clinicctl store check` says of a store that is damaged; clinicd lets go of it first.
    static nlohmann::json check() {
        Ran checked;
        EXPECT_TRUE(eventually([&] { return (checked = box().ctl("store check " + folders() + " --json")).exit == 3; }))
            << checked.exit << checked.out;
        EXPECT_EQ(checked.out.find("Quillfeather"), std::string::npos);
        return nlohmann::json::parse(checked.out, nullptr, false);
    }
    // Saves what can be read, and has the box go on with it.
    static nlohmann::json save_and_go_on() {
        const auto done = box().ctl("store salvage " + folders() + " --to " + saved().string() + " --json");
        EXPECT_EQ(done.exit, 3) << done.out;
        EXPECT_EQ(done.out.find("Quillfeather"), std::string::npos);
        const auto restored = box().ctl("store restore " + folders() + " --from " + saved().string() + " --json");
        EXPECT_EQ(restored.exit, 0) << "beside a clinicd that has closed the records: " << restored.out;
        EXPECT_TRUE(eventually([] { return is("running"); }, 90)) << box().status().dump();
        fs::remove_all(records() / "replaced-1");
        fs::remove_all(saved());
        return nlohmann::json::parse(done.out, nullptr, false);
    }
    static void give_the_basis_back() {
        EXPECT_TRUE(needs("E2201")) << "nothing leaves until a person has looked";
        const auto basis = box().ctl_with_file("basis set baa --evidence {} --expires 2099-12-31", "agreement");
        EXPECT_EQ(basis.exit, 0) << basis.out;
        EXPECT_TRUE(eventually([] { return !needs("E2201"); }));
    }
};

TEST_F(Technician, ADamagedStoreIsCheckedAndSavedAndTheBoxGoesOn) {
    ASSERT_EQ(send(), "AA");
    EXPECT_EQ(box().ctl("store check " + folders()).exit, 1) << "not while clinicd has it open";
    const auto lost = damage("raw_message");
    expect_closed("damaged", "E2002");
    expect_the_way_out("a page of the store does not open; lost: 1 page of messages as they came (raw_message)");
    const auto report = check();
    EXPECT_EQ(report.at("damaged_pages").at(0).at("page"), lost);
    EXPECT_EQ(report.at("damaged_pages").at(0).at("of"), "raw_message");
    const auto kept = save_and_go_on();
    EXPECT_GT(kept.at("tables").at("patient").at("rows"), 0);
    give_the_basis_back();
}

// The identifiers of the last check: nothing may leave without them, and they are made anew from what is sealed.
TEST_F(Technician, ADamagedPageOfTheIdentifiersClosesTheBoxAndTheyAreWrittenAnew) {
    ASSERT_EQ(send(), "AA");
    damage("identifier_token");
    expect_closed("damaged", "E2002");
    expect_the_way_out(
        "a page of the store does not open; lost: 1 page of identifier_token, which a salvage writes anew");
    EXPECT_EQ(check().at("damaged_pages").at(0).at("of"), "identifier_token");
    const auto kept = save_and_go_on();
    EXPECT_GT(kept.at("people_indexed_anew"), 0);
    EXPECT_EQ(kept.at("people_not_readable"), 0);
    EXPECT_EQ(kept.at("tables").at("patient").at("rows_lost"), 0);
    give_the_basis_back();
}

// Whole pages, and yet the newest links are not there: somebody or something took them.
TEST_F(Technician, AChainWithoutItsNewestLinksClosesTheBoxAndTheNewOneSaysWhichAreLost) {
    ASSERT_EQ(send(), "AA");
    const auto backup = (box().folder() / "records-backup").string();
    while_closed([&] {
        run("cp -a '" + records().string() + "' '" + backup + "'");
        change_store("DROP TRIGGER audit_link_is_kept; DROP TRIGGER audit_subject_is_kept;"
                     "CREATE TABLE end_before (number); INSERT INTO end_before SELECT max(number) FROM audit_link;"
                     "DELETE FROM audit_subject WHERE link > (SELECT number - 3 FROM end_before);"
                     "DELETE FROM audit_link WHERE number > (SELECT number - 3 FROM end_before);"
                     "DROP TABLE end_before; PRAGMA wal_checkpoint(TRUNCATE)");
    });
    expect_closed("damaged", "E2002");
    expect_the_way_out("the newest links of the audit chain are lost");
    const auto missing = check().at("missing_links").at(0);
    const std::int64_t newest = missing.at("last");
    EXPECT_EQ(missing.at("first"), newest - 2);
    EXPECT_TRUE(missing.at("said_by").is_null());
    EXPECT_EQ(save_and_go_on().at("lost_links").at(0).at("last"), newest);
    give_the_basis_back();
    EXPECT_EQ(box().ctl("audit verify").exit, 1) << "the gap is said, for as long as there is the chain";
    // The other way: the backup, in which nothing is missing.
    while_closed(
        [&] { run("rm -rf '" + records().string() + "'/*; cp -a '" + backup + "/.' '" + records().string() + "/'"); });
    fs::remove_all(backup);
}

// A page that no table has: the check at the start does not read it, the weekly one does.
TEST_F(Technician, TheWeeklyCheckFindsDamageWhileTheBoxRunsAndClosesTheRecords) {
    std::uint64_t at = 0;
    while_closed([&] {
        change_store("CREATE TABLE junk (x); INSERT INTO junk VALUES (zeroblob(40000)); DROP TABLE junk;"
                     "DELETE FROM setting WHERE key = 'store_check'; PRAGMA wal_checkpoint(TRUNCATE)");
        const auto image = crypto::StoreImage::open(records() / "records.db", slot());
        ASSERT_TRUE(image);
        at = crypto::page_offset(image->pages()) + 50;
        flip(at);
    });
    const auto seen_running = eventually([] { return is("running") || is("damaged"); });
    EXPECT_TRUE(seen_running);
    expect_closed("damaged", "E2002");
    EXPECT_NE(log("clinicd").find("the check of the store"), std::string::npos);
    const int process = process_of(box(), "clinicd");
    flip(at);
    EXPECT_TRUE(eventually([] { return is("running"); }, 120)) << "restored: by itself, within a minute";
    EXPECT_EQ(process_of(box(), "clinicd"), process);
}

// One key of 72 bytes is one person's: all others go on, and what comes in about that person is kept.
TEST_F(Technician, APersonWhoseKeyIsDamagedIsSaidAndMendedFromACopyOfTheKeys) {
    const auto stored = [](const char* event, const char* control, const char* number, const char* family) {
        const auto answer = box().send(adt(event, control, number, family, "Ottoline"));
        const bool is_stored = answer.find("MSA|AA|") != std::string::npos;
        acknowledged_ += is_stored ? 1 : 0;
        return is_stored;
    };
    ASSERT_TRUE(stored("A28", "KEY1", "NKEY1", "Quillfeather"));
    const auto keys = records() / "keys.db";
    const auto copy = box().folder() / "keys-copy.db";
    while_closed([&] {
        std::int64_t person = 0;
        with_store([&](records::RawDatabase& store) {
            person = std::stoll(store.texts("SELECT max(key_slot) FROM patient").at(0));
            store.run("DELETE FROM setting WHERE key = 'store_check'");
        });
        run("cp -a '" + keys.string() + "' '" + copy.string() + "'");
        flip(keys, crypto::key_slot_offset(person) + 30);
    });
    EXPECT_TRUE(eventually([] { return needs("E2019"); }, 60)) << box().status().dump();
    EXPECT_TRUE(is("running"));
    EXPECT_EQ(need("E2019")["number"], 1) << need("E2019").dump();
    EXPECT_NE(need("E2019")["action"].get<std::string>().find("clinicctl store mend-keys"), std::string::npos);
    EXPECT_NE(box().page("/metrics").find("clinic_store_check_keys_damaged 1"), std::string::npos);
    EXPECT_FALSE(stored("A08", "KEY2", "NKEY1", "Tanglewood"));
    EXPECT_EQ(box().status()["store"]["quarantine_items"], 1);
    EXPECT_TRUE(stored("A28", "KEY3", "NKEY3", "Marchbanks")) << "all others go on";
    while_closed([&] {
        const auto mended = box().ctl("store mend-keys --records " + records().string() + " --credential " +
                                      key().string() + ".away --from " + copy.string() + " --json");
        EXPECT_EQ(mended.exit, 0) << mended.out;
        EXPECT_EQ(nlohmann::json::parse(mended.out, nullptr, false)["mended"], 1) << mended.out;
    });
    EXPECT_TRUE(eventually([] { return is("running") && !needs("E2019"); }, 60)) << box().status().dump();
    EXPECT_TRUE(stored("A08", "KEY4", "NKEY1", "Tanglewood"));
    EXPECT_EQ(box().ctl("quarantine discard --all --reason 'sent again since'").exit, 0);
    fs::remove(copy);
}

TEST_F(Technician, ASoundStoreIsCheckedByItselfAndTheStatusSaysWhen) {
    while_closed([] { change_store("DELETE FROM setting WHERE key IN ('store_check', 'store_damage')"); });
    EXPECT_TRUE(eventually([] { return box().status()["store"]["check"]["sound"] == true; }, 60))
        << box().status().dump();
    EXPECT_FALSE(box().status()["store"]["check"]["running"]);
    EXPECT_NE(box().page("/metrics").find("clinic_store_check_sound 1"), std::string::npos);
}

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
        to_a_small_disk();
    }
    void TearDown() override {
        if (!as_root()) return;
        Disk::TearDown();
        home_from_it();
    }
};

TEST_F(SmallDisk, AFullDiskRefusesKeepsAndGoesOnWhenThereIsRoom) {
    const int process = process_of(box(), "clinicd");
    EXPECT_TRUE(fs::exists(records() / "reserve"));
    fill();
    // What still finds room is stored and acknowledged, the rest is neither: TearDown counts.
    EXPECT_TRUE(eventually([] { return send() == "AE"; }, 60));
    expect_closed("full", "E2003");
    EXPECT_EQ(need("E2003")["cause"], "there is no room left on the records' disk");
    // What was kept for this day is given back: the box's own bookkeeping goes on, records are refused.
    EXPECT_FALSE(fs::exists(records() / "reserve"));
    EXPECT_EQ(box().ctl("policy unlinked shell").exit, 0) << "a setting and its audit entry find room";
    EXPECT_EQ(box().ctl("audit verify").exit, 0);
    EXPECT_NE(box().send(adt("A28", "FULL", "NFULL", "Quillfeather", "Ottoline")).find("no room"), std::string::npos);
    const auto consents = box().ctl_with_file(
        "import consents {}", "record_number,scope,state,given_on\nNFULL,marketing,granted,2026-11-01\n");
    EXPECT_NE(consents.exit, 0);
    EXPECT_NE(consents.out.find("there is no room left on the box's disk"), std::string::npos) << consents.out;
    fs::remove(records() / "filler");
    EXPECT_TRUE(eventually([] { return is("running"); }));
    EXPECT_EQ(process_of(box(), "clinicd"), process) << "a restart is not needed for it";
    EXPECT_TRUE(eventually([] { return fs::exists(records() / "reserve"); })) << "kept anew";
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
