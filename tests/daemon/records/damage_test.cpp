// Wrong key, flipped bit, swapped page, missing and foreign files: a clear error each, and never a new store in place
// of an old one.
#include <fstream>
#include <future>
#include <random>

#include "crypto/seal.h"
#include "crypto/store_layout.h"
#include "daemon/records/schema.h"
#include "daemon/records/schema_outbox.h"
#include "daemon/records/store_check.h"
#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

constexpr std::size_t people = 40;
constexpr std::uintmax_t page = 4'096;
constexpr std::uintmax_t first_page = 2 * page; // behind the superblocks

class Damage : public Records {
protected:
    void SetUp() override {
        Records::SetUp();
        for (std::size_t i = 0; i < people; ++i) upsert(person(std::to_string(i).c_str()));
        store_.reset();
    }

    std::filesystem::path database() const { return options_.folder / "records.db"; }
    std::filesystem::path keys() const { return options_.folder / "keys.db"; }
    std::uintmax_t size() const { return std::filesystem::file_size(database()); }

    static std::string content(const std::filesystem::path& path) {
        std::ifstream in{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    static void put(const std::filesystem::path& path, const std::string& bytes) {
        std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
    }
    void flip(const std::filesystem::path& path, std::uintmax_t byte, int bit) {
        std::string bytes = content(path);
        bytes[byte] = static_cast<char>(static_cast<unsigned char>(bytes[byte]) ^ (1U << bit));
        put(path, bytes);
    }
    Errc failure(char key = 'k') {
        const auto opened = open(key);
        EXPECT_FALSE(opened);
        return opened ? Errc::unknown : opened.error().code;
    }
};

TEST_F(Damage, AWrongKeyIsLockedAndChangesNothing) {
    const auto data = content(database()), wrapped = content(keys());
    EXPECT_EQ(failure('x'), Errc::locked);
    EXPECT_EQ(content(database()), data);
    EXPECT_EQ(content(keys()), wrapped);
    reopen();
}

TEST_F(Damage, AFlippedBitIsTamperedWhereverItIs) {
    std::mt19937 random{20'261'121};
    const auto whole = content(database());
    for (int i = 0; i < 40; ++i) {
        const auto byte = first_page + random() % (whole.size() - first_page);
        flip(database(), byte, static_cast<int>(random() % 8));
        EXPECT_EQ(failure(), Errc::tampered) << "byte " << byte;
        put(database(), whole);
    }
    reopen();
    EXPECT_EQ(find("number", "HOSP|7").size(), 1U);
}

TEST_F(Damage, SwappedPagesAreTampered) {
    std::string bytes = content(database());
    const std::string second = bytes.substr(first_page + page, page);
    bytes.replace(first_page + page, page, bytes, first_page + 3 * page, page);
    bytes.replace(first_page + 3 * page, page, second);
    put(database(), bytes);
    EXPECT_EQ(failure(), Errc::tampered);
}

TEST_F(Damage, ABlankedPageIsTampered) {
    std::string bytes = content(database());
    bytes.replace(first_page + 4 * page, page, page, '\0');
    put(database(), bytes);
    EXPECT_EQ(failure(), Errc::tampered);
}

TEST_F(Damage, ATruncatedFileIsAnErrorAtEveryLength) {
    const auto whole = content(database());
    const std::vector<std::uintmax_t> lengths = {1,
                                                 page,
                                                 first_page - 1,
                                                 first_page,
                                                 first_page + 100,
                                                 first_page + page,
                                                 first_page + 2 * page,
                                                 whole.size() / 2,
                                                 whole.size() - page,
                                                 whole.size() - 1};
    for (const auto length : lengths) {
        put(database(), whole.substr(0, length));
        const auto code = failure();
        EXPECT_TRUE(code == Errc::tampered || code == Errc::corrupt || code == Errc::conflict)
            << length << ' ' << base::name(code);
        EXPECT_LE(size(), std::max(length, first_page));
    }
    put(database(), whole);
    reopen();
}

TEST_F(Damage, AnEmptyFileIsNotFilledWithANewStore) {
    put(database(), "");
    EXPECT_EQ(failure(), Errc::conflict);
    EXPECT_EQ(size(), 0U);
}

TEST_F(Damage, AMissingDatabaseIsNotMadeAnew) {
    std::filesystem::remove(database());
    EXPECT_EQ(failure(), Errc::conflict);
    EXPECT_FALSE(std::filesystem::exists(database()));
}

TEST_F(Damage, AWalWithoutItsDatabaseIsNotMadeAnew) {
    std::filesystem::remove(database());
    std::filesystem::remove(keys());
    put(options_.folder / "records.db-wal", std::string(5'000, 'w'));
    EXPECT_EQ(failure(), Errc::conflict);
    EXPECT_FALSE(std::filesystem::exists(database()));
    EXPECT_FALSE(std::filesystem::exists(keys()));
}

TEST_F(Damage, AMissingKeystoreIsNotMadeAnew) {
    std::filesystem::remove(keys());
    EXPECT_EQ(failure(), Errc::conflict);
    EXPECT_FALSE(std::filesystem::exists(keys()));
}

// Its disk is not mounted, or somebody took the files away.
TEST_F(Damage, AnEmptyFolderIsNotGivenANewStore) {
    options_.make = false;
    std::filesystem::remove_all(options_.folder);
    std::filesystem::create_directory(options_.folder);
    EXPECT_EQ(failure(), Errc::not_found);
    EXPECT_FALSE(std::filesystem::exists(database()));
    EXPECT_FALSE(std::filesystem::exists(keys()));
}

TEST_F(Damage, TheWishForAStoreHoldsForOneAlone) {
    options_.make = false;
    std::filesystem::remove_all(options_.folder);
    std::filesystem::create_directory(options_.folder);
    put(options_.folder / "make-store", "");
    ASSERT_TRUE(open());
    EXPECT_FALSE(std::filesystem::exists(options_.folder / "make-store"));
    std::filesystem::remove_all(options_.folder);
    std::filesystem::create_directory(options_.folder);
    EXPECT_EQ(failure(), Errc::not_found);
}

TEST_F(Damage, AFreshStoreBesideAnOldKeystoreIsRefused) {
    const auto old_keys = content(keys());
    std::filesystem::remove_all(options_.folder);
    ASSERT_TRUE(open());
    put(keys(), old_keys);
    EXPECT_EQ(failure(), Errc::conflict);
}

TEST_F(Damage, ADamagedKeystoreHeaderClosesNothing) {
    flip(keys(), 100, 0);
    EXPECT_TRUE(open());
}

TEST_F(Damage, ALaterVersionsStoreIsNewer) {
    RawDatabase{options_.folder, slot_of('k')}.run("PRAGMA user_version = 99");
    EXPECT_EQ(failure(), Errc::newer);
}

// What came after schema 10 was in use is a migration of its own.
TEST_F(Damage, AStoreOfSchemaTenIsBroughtForward) {
    RawDatabase{options_.folder, slot_of('k')}.run(
        "DROP TABLE beside; ALTER TABLE outbox DROP COLUMN heard_us;"
        "DROP INDEX ledger_also; ALTER TABLE outbox DROP COLUMN joined; ALTER TABLE ledger DROP COLUMN also;"
        "DROP INDEX outbox_urgent; ALTER TABLE outbox DROP COLUMN hold_until; ALTER TABLE said DROP COLUMN written_at;"
        "DROP TABLE crm_object; DROP TABLE crm_conflict; DROP TABLE crm_choice; DROP TABLE crm_never; DROP TABLE "
        "crm_walk;"
        "DROP INDEX appointment_open_start; PRAGMA user_version = 10");
    reopen();
    EXPECT_EQ(store_->numbers().schema_version, schema_version_known);
    EXPECT_EQ(find("number", "HOSP|7").size(), 1U);
    EXPECT_TRUE(store_->read([](Snapshot& snapshot) -> Result<void> {
        CLINIC_TRY(snapshot.prepare("SELECT hold_until, joined, heard_us FROM outbox"));
        CLINIC_TRY(snapshot.prepare("SELECT row FROM crm_object"));
        CLINIC_TRY(snapshot.prepare("SELECT number FROM beside"));
        return {};
    }));
}

TEST_F(Damage, WhatLiesBesideAContactInSchemaThirteenKeepsItsNumbers) {
    {
        RawDatabase raw{options_.folder, slot_of('k')};
        raw.run("DROP TABLE beside");
        raw.run(outbox_beside_v13);
        raw.run("INSERT INTO beside (number, patient, kind, appointment, token, ours) VALUES"
                " (5, x'01', 5, x'', x'aa', 1), (6, x'01', 6, x'02', NULL, 0), (9, x'03', 5, x'', NULL, 0);"
                "DELETE FROM beside WHERE number = 9; PRAGMA user_version = 13");
    }
    reopen();
    EXPECT_EQ(store_->numbers().schema_version, schema_version_known);
    store_.reset();
    RawDatabase raw{options_.folder, slot_of('k')};
    raw.run("INSERT INTO beside (patient, kind, appointment) VALUES (x'04', 5, x'')");
    EXPECT_EQ(raw.texts("SELECT number || ' ' || hex(patient) || kind || hex(appointment) || hex(token)"
                        " || ours || hex(contact) FROM beside ORDER BY number"),
              (std::vector<std::string>{"5 015AA1", "6 016020", "10 0450"}));
}

TEST_F(Damage, AnEarlierVersionsStoreIsBroughtForward) {
    RawDatabase{options_.folder, slot_of('k')}.run(back_to_first_version);
    reopen();
    EXPECT_EQ(store_->numbers().schema_version, schema_version_known);
    EXPECT_EQ(find("number", "HOSP|7").size(), 1U);
    EXPECT_TRUE(store_->read([](Snapshot& snapshot) -> Result<void> {
        CLINIC_TRY(snapshot.prepare("SELECT taken_back FROM visit"));
        CLINIC_TRY(snapshot.prepare("SELECT replayed_as FROM quarantine"));
        return {};
    }));
}

// A row that makes no sense stands for a page that does not open: the check at the start does not see it.
TEST_F(Damage, IdentifiersThatDoNotOpenBehindTheStartAreSaidOnceAndSeenAtTheNextOpen) {
    RawDatabase{options_.folder, slot_of('k')}.run("INSERT INTO identifier_token VALUES (zeroblob(16), 1, 9, 0, 1)");
    options_.identifier_rows_at_open = 10;
    std::promise<Error> told;
    options_.on_damage = [&](const Error& why) { told.set_value(why); };
    reopen();
    auto damage = told.get_future();
    ASSERT_EQ(damage.wait_for(std::chrono::seconds{60}), std::future_status::ready);
    const auto why = damage.get();
    EXPECT_EQ(why.code, Errc::corrupt);
    EXPECT_NE(std::string{why.remedy.c_str()}.find("clinicctl store salvage"), std::string::npos);
    EXPECT_EQ(*read([](Snapshot& session) { return setting(session, damage_setting); }), "1");
    store_.reset();
    for (int i = 0; i < 2; ++i) {
        const auto shut = open();
        ASSERT_FALSE(shut);
        EXPECT_STREQ(shut.error().what.c_str(), why.what.c_str());
    }
    RawDatabase{options_.folder, slot_of('k')}.run("DELETE FROM identifier_token WHERE form = 9");
    reopen();
    EXPECT_FALSE(read([](Snapshot& session) { return setting(session, damage_setting); })->has_value());
}

TEST_F(Damage, AnErasureWhoseKeyOutlivedACrashIsFinishedAtOpen) {
    reopen();
    const auto id = find("number", "HOSP|7").at(0);
    ASSERT_TRUE(read([&](Snapshot& snapshot) { return snapshot.patient_key(id); }));
    store_.reset();
    static_assert(static_cast<int>(PatientStatus::erased) == 3);
    RawDatabase{options_.folder, slot_of('k')}.run("UPDATE patient SET status = 3"); // committed, and no more
    reopen();
    EXPECT_FALSE(read([&](Snapshot& snapshot) { return snapshot.patient_key(id); }));
}

// Nonce and sealed key as they were, and the tag of the mark: a key that can still be read by who has the store's.
TEST_F(Damage, AnErasureThatWasTornIsFinishedAtOpen) {
    constexpr std::size_t kept = crypto::wrapped_key_bytes - crypto::tag_bytes;
    const auto slot_of_person = [](const std::string& file, std::size_t number) {
        return file.substr(crypto::key_slot_offset(static_cast<std::int64_t>(number)), kept);
    };
    const auto before = content(keys());
    RawDatabase{options_.folder, slot_of('k')}.run("UPDATE patient SET status = 3");
    reopen();
    const auto id = find("number", "HOSP|7").at(0);
    store_.reset();
    auto torn = content(keys());
    for (std::size_t number = 1; number <= people; ++number)
        torn.replace(crypto::key_slot_offset(static_cast<std::int64_t>(number)), kept, slot_of_person(before, number));
    put(keys(), torn);
    reopen();
    const auto key = read([&](Snapshot& snapshot) { return snapshot.patient_key(id); });
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, Errc::not_found) << "erased, no longer damaged";
    store_.reset();
    for (std::size_t number = 1; number <= people; ++number)
        EXPECT_NE(slot_of_person(content(keys()), number), slot_of_person(before, number)) << number;
}

TEST_F(Damage, ASecondProcessIsRefused) {
    reopen();
    EXPECT_EQ(failure(), Errc::refused);
}

TEST_F(Damage, NoNameOrNumberStandsInAnyFile) {
    reopen();
    auto canary = person("MRN-CANARY-4711", "Quetzalcoatlus", "Philippa");
    canary.emails = said_all({"philippa@quetzal.example"});
    upsert(canary);
    for (const auto& entry : std::filesystem::recursive_directory_iterator{options_.folder}) {
        const auto bytes = content(entry.path());
        for (const char* marker : {"CANARY", "Quetzal", "quetzal", "Philippa", "SQLite format", "CREATE TABLE"})
            EXPECT_EQ(bytes.find(marker), std::string::npos) << entry.path().filename() << ' ' << marker;
    }
}

} // namespace
} // namespace clinic::records
