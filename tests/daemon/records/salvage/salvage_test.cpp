// A damaged store is checked, and what can be read of it is saved: never a row that was not there, the old files as
// they were, and a new store that the box can work with.
#include "daemon/records/salvage/lost.h"
#include "tests/daemon/records/salvage/salvage_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include <random>
#include <thread>

#include "tests/support/campaign.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;
using records::person;
using records::slot_of;

// What the box's page says while the records are closed.
TEST_F(SalvageTest, WhatIsLostIsSaidInALine) {
    const auto said = [&] { return what_is_lost(old(), records::slot_of('k')); };
    EXPECT_EQ(said(), "");
    damage(leaves_of("raw_message").at(0));
    EXPECT_EQ(said(), "1 page of messages as they came (raw_message)");
    damage(leaves_of("patient_token").at(0));
    damage(leaves_of("patient").at(0));
    damage(leaves_of("audit_link").at(0));
    const auto all = said();
    EXPECT_NE(all.find("of people (patient), "), std::string::npos) << all;
    EXPECT_NE(all.find("of patient_token, which a salvage writes anew"), std::string::npos) << all;
    EXPECT_NE(all.find("1 page of the audit chain (audit_link)"), std::string::npos) << all;
    EXPECT_EQ(all.find("Family"), std::string::npos);
    EXPECT_EQ(what_is_lost(old(), records::slot_of('x')), "") << "another key tells nothing";
    damage(1);
    EXPECT_NE(said().find("of the list of tables"), std::string::npos) << said();
    flip(database(), 3'000), flip(database(), 4'096 + 3'000);
    EXPECT_NE(said().find("both superblocks, which a salvage writes anew"), std::string::npos) << said();
}

// What a crash left in the WAL is as much of the store as its pages: whatever of the header is damaged.
TEST_F(SalvageTest, AWalWithoutItsHeaderIsDamageAndIsSavedByItsFrames) {
    reopen();
    for (int i = 0; i < 5; ++i) upsert(records::person(("late" + std::to_string(i)).c_str(), "Latecomer"));
    const auto crashed = folder_ / "crashed";
    fs::copy(old(), crashed, fs::copy_options::recursive);
    store_.reset();
    options_.folder = crashed;
    const auto wal = crashed / "records.db-wal";
    const auto whole = content(wal);
    const auto zeroed = [&](std::size_t bytes) { return std::string(bytes, '\0') + whole.substr(bytes); };
    const auto flipped = [&](std::size_t at) {
        auto bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        return bytes;
    };
    int round = 0;
    for (const auto& bytes :
         {zeroed(512), zeroed(4'096), flipped(3), flipped(18), flipped(22), flipped(40), flipped(60)}) {
        put(wal, bytes);
        EXPECT_FALSE(open());
        EXPECT_TRUE(check(crashed, slot_of('k'))->needs_salvage()) << round;
        EXPECT_NE(what_is_lost(crashed, slot_of('k')).find("(WAL)"), std::string::npos) << round;
        const auto to = folder_ / ("saved" + std::to_string(round)).c_str();
        const auto salvaged = salvage(crashed, to, slot_of('k'), clock_);
        ASSERT_TRUE(salvaged) << round << salvaged.error().what.c_str();
        EXPECT_FALSE(salvaged->complete()) << round;
        EXPECT_TRUE(salvaged->basis_closed) << "the header may have said that there was more";
        EXPECT_EQ(dump(to).at("patient").size(), people + 5U) << round;
        ++round;
    }
}

TEST_F(SalvageTest, AnothersWalInThePlaceOfTheStoresOwnIsALoss) {
    reopen();
    upsert(records::person("late", "Latecomer"));
    const auto crashed = folder_ / "crashed";
    fs::copy(old(), crashed, fs::copy_options::recursive);
    store_.reset();
    options_.folder = crashed;
    auto foreign = content(crashed / "records.db-wal").substr(0, 4'096);
    foreign[40] = static_cast<char>(foreign[40] ^ 0x10);
    put(crashed / "records.db-wal", foreign + std::string(4'208, '\0'));
    EXPECT_TRUE(check(crashed, slot_of('k'))->wal.foreign);
    const auto salvaged = save();
    EXPECT_FALSE(salvaged.complete());
    EXPECT_TRUE(salvaged.basis_closed);
}

TEST_F(SalvageTest, ADamagedFreePageIsSaidAndLosesNothing) {
    {
        records::RawDatabase raw{old(), slot_of('k')};
        raw.run("CREATE TABLE spare (x BLOB); INSERT INTO spare WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1"
                " FROM n WHERE i < 50) SELECT randomblob(4000) FROM n; DROP TABLE spare;");
    }
    const auto free_page = image().pages() - 3;
    damage(free_page);
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_TRUE(checked->needs_salvage());
    EXPECT_THAT(what_is_lost(old(), slot_of('k')), testing::HasSubstr("1 page of free room, where nothing is lost"));
    EXPECT_TRUE(save().complete());
}

TEST_F(SalvageTest, ASoundStoreIsSoundAndIsSavedRowByRow) {
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked) << checked.error().what.c_str();
    EXPECT_TRUE(checked->sound());
    EXPECT_EQ(checked->integrity.size(), 0U);
    const auto salvaged = save();
    EXPECT_TRUE(salvaged.complete());
    EXPECT_FALSE(salvaged.basis_closed);
    EXPECT_FALSE(fs::exists(saved() / aside_file));
    auto after = dump(saved());
    for (const auto& [table, rows] : sound_) {
        if (is_its_own(table)) continue;
        EXPECT_EQ(after[table], rows) << table;
        if (table.starts_with("sqlite_")) continue;
        EXPECT_EQ(of(salvaged, table).rows, static_cast<std::int64_t>(rows.size())) << table;
    }
    EXPECT_TRUE(check(saved(), slot_of('k'))->sound());
    open_saved();
    EXPECT_TRUE(read([](records::Snapshot& session) { return audit::Trail::verify(session); })) << "the chain holds";
    EXPECT_EQ(facts(find("number", "HOSP|7").at(0)).has_mobile, true) << "what is sealed opens";
}

TEST_F(SalvageTest, ALostLeafCostsItsOwnRowsAlone) {
    const auto leaves = leaves_of("patient");
    ASSERT_GT(leaves.size(), 3U);
    damage(leaves[2]);
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_FALSE(checked->sound());
    ASSERT_EQ(checked->survey.lost.size(), 1U);
    EXPECT_EQ(checked->survey.lost[0].page, leaves[2]);
    EXPECT_EQ(checked->survey.lost[0].owner, "patient");
    EXPECT_FALSE(checked->integrity.empty());

    const auto salvaged = save();
    EXPECT_FALSE(salvaged.complete());
    EXPECT_EQ(of(salvaged, "patient").pages_lost, 1);
    const auto lost = people - of(salvaged, "patient").rows;
    EXPECT_GT(lost, 0);
    EXPECT_LT(lost, people / 4);
    EXPECT_EQ(of(salvaged, "identifier").rows_aside, lost) << "a number that leads to nobody is set aside";
    expect_nothing_invented(salvaged);
    EXPECT_TRUE(salvaged.basis_closed);
    EXPECT_TRUE(check(saved(), slot_of('k'))->sound());

    open_saved();
    EXPECT_TRUE(read([](records::Snapshot& session) { return setting(session, "policy"); }).value() == std::nullopt);
    int found = 0;
    for (int i = 0; i < people; ++i) {
        const auto again = upsert(person(std::to_string(i).c_str())); // who is lost is made anew
        if (!again.created) ++found;
    }
    EXPECT_EQ(found, people - lost);
}

TEST_F(SalvageTest, PeopleWhoAreLostAreNotCounted) {
    const auto leaves = leaves_of("patient");
    damage(leaves[leaves.size() / 2]);
    damage(leaves.back());
    const auto rows = of(save(), "patient").rows;
    ASSERT_LT(rows, people);
    open_saved();
    const auto count = [&] { return read([](records::Snapshot& session) { return patient_count(session); }).value(); };
    EXPECT_EQ(count(), rows) << "a row that holds a key is nobody";
    upsert(person("new"));
    EXPECT_EQ(count(), rows + 1);
    store_.reset();

    fs::rename(saved(), folder_ / "once");
    options_.folder = folder_ / "once"; // damaged and saved once more
    damage(leaves_of("patient")[0]);
    const auto rest = of(save(), "patient").rows - 1; // but the row that holds a key
    ASSERT_LT(rest, rows);
    open_saved();
    EXPECT_EQ(count(), rest);
}

// Of a lost page, and in pages that are all sound: an older one that was put back.
class LostLinks : public SalvageTest, public testing::WithParamInterface<bool> {};

TEST_P(LostLinks, AreSaidByTheNewChainWhichGoesOn) {
    const bool by_page = GetParam();
    const auto newest = static_cast<std::int64_t>(sound_["audit_link"].size());
    if (by_page)
        damage(leaves_of("audit_link").back());
    else
        records::RawDatabase{old(), slot_of('k')}.run(
            "DROP TRIGGER audit_link_is_kept; DELETE FROM audit_link WHERE number > 200;"
            "PRAGMA wal_checkpoint(TRUNCATE)");
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_FALSE(checked->sound());
    ASSERT_EQ(checked->missing_links.size(), 1U);
    EXPECT_EQ(checked->missing_links[0].last, newest);
    EXPECT_EQ(checked->missing_links[0].said_by, 0);

    const auto salvaged = save();
    EXPECT_FALSE(salvaged.complete());
    EXPECT_TRUE(salvaged.basis_closed);
    ASSERT_EQ(salvaged.lost_links.size(), 1U);
    EXPECT_EQ(salvaged.lost_links[0].first, checked->missing_links[0].first);
    EXPECT_EQ(salvaged.lost_links[0].last, newest);
    const auto again = check(saved(), slot_of('k'));
    EXPECT_TRUE(again->sound()) << "what is said is known";
    ASSERT_EQ(again->missing_links.size(), 1U);
    EXPECT_EQ(again->missing_links[0].said_by, newest + 1);

    open_saved();
    for (int i = 0; i < 300; ++i) upsert(person(std::to_string(i).c_str())); // more than are lost
    const auto verified = read([](records::Snapshot& session) { return audit::Trail::verify(session); });
    ASSERT_TRUE(verified);
    ASSERT_EQ(verified->gaps.size(), 1U);
    EXPECT_EQ(verified->gaps[0].first, salvaged.lost_links[0].first);
    EXPECT_EQ(verified->gaps[0].last, newest);
}

INSTANTIATE_TEST_SUITE_P(Each, LostLinks, testing::Bool(),
                         [](const auto& one) { return one.param ? "by_a_page" : "in_sound_pages"; });

TEST_F(SalvageTest, LostSubjectsAreSaidToo) {
    reopen();
    ASSERT_TRUE(store_->write([](records::Transaction& txn) -> Result<void> {
        for (int i = 0; i < 200; ++i)
            CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                  .action = audit::Action::read,
                                                  .purpose = audit::Purpose::operations,
                                                  .subjects = {PatientId::make(txn.now())}}));
        return {};
    }));
    store_.reset();
    const auto leaves = leaves_of("audit_subject");
    damage(leaves[leaves.size() / 2]);
    const auto salvaged = save();
    ASSERT_FALSE(salvaged.lost_links.empty());
    open_saved();
    const auto verified = read([](records::Snapshot& session) { return audit::Trail::verify(session); });
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->gaps.size(), salvaged.lost_links.size());
}

TEST_F(SalvageTest, NoKeyOfSomebodyLostIsGivenToSomebodyNew) {
    const auto leaves = leaves_of("patient");
    damage(leaves.back()); // the newest people, and the highest keys
    const auto salvaged = save();
    ASSERT_FALSE(of(salvaged, "patient").whole());
    open_saved();
    const auto made = upsert(person("new"));
    store_.reset();
    const auto slots = records::RawDatabase{saved(), slot_of('k')}.texts("SELECT max(key_slot) FROM patient");
    EXPECT_TRUE(made.created);
    EXPECT_GT(std::stoll(slots.at(0)), people + 64) << "beyond all that the old store may have used";
}

TEST_F(SalvageTest, WhatALostRootLedToIsFoundPageByPage) {
    for (const char* table : {"patient", "audit_link", "seen_message", "patient_token", "identifier"}) {
        damage(root_of(table));
        const auto salvaged = save();
        EXPECT_EQ(of(salvaged, table).pages_lost, 1) << table;
        auto after = dump(saved());
        // The root of a table without rowid holds rows itself: these two are written anew from what is sealed.
        std::multiset<std::string> missing;
        std::ranges::set_difference(sound_[table], after[table], std::inserter(missing, missing.end()));
        EXPECT_EQ(missing.size(), 0U) << table;
        expect_nothing_invented(salvaged);
        fs::remove_all(saved());
        put(database(), sound_bytes_);
    }
}

TEST_F(SalvageTest, AStoreWhoseFirstPageIsLostIsSavedByItsSchemasRows) {
    damage(1);
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_FALSE(checked->survey.first_page);
    const auto salvaged = save();
    for (const auto& [table, rows] : sound_) {
        if (is_its_own(table) || table.starts_with("sqlite_")) continue;
        EXPECT_EQ(of(salvaged, table).rows, static_cast<std::int64_t>(rows.size())) << table;
    }
    open_saved();
    EXPECT_EQ(find("number", "HOSP|7").size(), 1U);
}

TEST_F(SalvageTest, ALostIndexIsWrittenAnewAndNothingIsLost) {
    const auto leaves = leaves_of("patient_token_patient");
    damage(leaves[leaves.size() / 2]);
    EXPECT_FALSE(check(old(), slot_of('k'))->sound());
    const auto salvaged = save();
    EXPECT_TRUE(salvaged.complete());
    EXPECT_FALSE(salvaged.basis_closed);
    EXPECT_TRUE(check(saved(), slot_of('k'))->sound());
}

TEST_F(SalvageTest, WhatFindsAPersonIsWrittenAnewFromWhatIsSealed) {
    for (const char* table : {"identifier", "patient_token", "identifier_token"}) {
        const auto leaves = leaves_of(table);
        ASSERT_GT(leaves.size(), 2U) << table;
        damage(leaves[1]);
    }
    const auto salvaged = save();
    EXPECT_EQ(salvaged.found_anew, people);
    auto after = dump(saved());
    for (const char* table : {"identifier", "patient_token"}) EXPECT_EQ(after[table], sound_[table]) << table;
    const auto tokens = [](const Dump& of) { return of.at("identifier_token"); };
    EXPECT_EQ(tokens(after), tokens(sound_)) << "the last check stops what it stopped";
}

TEST_F(SalvageTest, ALostWalFrameCostsItsPagesNewestStateAndIsCounted) {
    reopen();
    for (int i = 0; i < 20; ++i) upsert(person(("late" + std::to_string(i)).c_str()));
    const auto crashed = folder_ / "crashed";
    fs::copy(old(), crashed, fs::copy_options::recursive);
    store_.reset();
    options_.folder = crashed;
    ASSERT_GT(fs::file_size(crashed / "records.db-wal"), 20 * crypto::slot_bytes);
    EXPECT_TRUE(check(crashed, slot_of('k'))->sound()) << "a WAL that a crash left is part of a sound store";
    flip(crashed / "records.db-wal", crypto::slot_offset(5) + 1'000);

    const auto checked = check(crashed, slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->wal.damaged, std::vector<std::uint64_t>{5});
    EXPECT_FALSE(open()) << "the box does not guess";
    const auto salvaged = save();
    EXPECT_EQ(salvaged.frames_damaged, 1);
    EXPECT_TRUE(salvaged.basis_closed);
    open_saved();
    EXPECT_EQ(find("number", "HOSP|late3").size(), 1U) << "what stands behind the damage is taken too";
}

TEST_F(SalvageTest, ADamagedKeyIsThatPersonsAlone) {
    flip(keys(), 4'096 + 7 * 72 + 30); // slot 8
    flip(keys(), 100);                 // and the header
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_FALSE(checked->keys.head_whole);
    EXPECT_EQ(checked->keys.damaged, std::vector<std::int64_t>{8});
    const auto salvaged = save();
    EXPECT_EQ(salvaged.keys_damaged, 1);
    EXPECT_FALSE(salvaged.complete());
    open_saved();
    int unreadable = 0;
    for (int i = 0; i < people; ++i) {
        const auto who = find("number", ("HOSP|" + std::to_string(i)).c_str()).at(0);
        if (!read([&](records::Snapshot& session) { return session.patient_key(who); })) ++unreadable;
    }
    EXPECT_EQ(unreadable, 1);
}

TEST_F(SalvageTest, KeysThatWereCutOffAreCountedAndPeopleCanComeAgain) {
    fs::resize_file(keys(), crypto::key_slot_offset(299));
    const auto checked = check(old(), slot_of('k'));
    ASSERT_TRUE(checked);
    EXPECT_TRUE(checked->needs_salvage());
    EXPECT_EQ(checked->keys.damaged, (std::vector<std::int64_t>{299, 300}));
    const auto salvaged = save();
    EXPECT_EQ(salvaged.keys_damaged, 2);
    EXPECT_EQ(salvaged.keys, 298);
    open_saved();
    upsert(records::person("new", "Newcomer"));
    EXPECT_EQ(find("number", "HOSP|new").size(), 1U);
}

TEST_F(SalvageTest, BothSuperblocksDamagedOpenByTheKeyThatIsWrappedInThem) {
    const auto words = [] { return crypto::KeySlot::from_recovery_secret(crypto::SecureBytes::zeroed(32)); };
    reopen();
    ASSERT_TRUE(store_->keys().add(words(), "on paper", 1));
    store_.reset();
    flip(database(), 3'000);
    flip(database(), 4'096 + 3'000);
    EXPECT_FALSE(open());
    EXPECT_EQ(check(old(), slot_of('k'))->damaged_superblocks, 2);
    EXPECT_TRUE(save().complete());
    EXPECT_TRUE(check(saved(), slot_of('k'))->sound());
    EXPECT_TRUE(check(saved(), words())->sound()) << "every key slot goes with it";
}

TEST_F(SalvageTest, BooksOfALostQueueAddUp) {
    {
        records::RawDatabase raw{old(), slot_of('k')};
        raw.run("INSERT INTO outbox (destination, patient, kind, scope, state, queued_at, due_at, envelope)"
                " SELECT 0, id, 1, -1, 1, 1, 1, randomblob(300) FROM patient;"
                "INSERT INTO outbox_counter VALUES (0, 0, 310), (0, 1, 300), (0, 5, 10);"
                "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    damage(leaves_of("outbox")[3]);
    const auto salvaged = save();
    const auto& queue = of(salvaged, "outbox");
    ASSERT_LT(queue.rows, 300);
    open_saved();
    const auto books = read([](records::Snapshot& session) -> Result<std::vector<std::int64_t>> {
        std::vector<std::int64_t> all(9);
        auto rows = session.prepare("SELECT state, envelopes FROM outbox_counter WHERE destination = 0");
        CLINIC_TRY(rows);
        while (*rows->step()) all.at(static_cast<std::size_t>(rows->integer(0))) = rows->integer(1);
        return all;
    });
    ASSERT_TRUE(books);
    EXPECT_EQ((*books)[1], queue.rows);
    EXPECT_EQ((*books)[5], 10);
    EXPECT_EQ((*books)[8], 300 - queue.rows) << "what is lost ends as discarded";
    EXPECT_EQ((*books)[0], 310);
}

TEST_F(SalvageTest, WhatIsSetAsideIsSealedAndCounted) {
    damage(leaves_of("patient")[1]);
    const auto salvaged = save();
    const auto sealed = content(saved() / aside_file);
    for (const char* marker : {"patient", "identifier", "payload", "Family"})
        EXPECT_EQ(sealed.find(marker), std::string::npos) << marker;
    const auto store = image();
    const auto record = read_aside(saved(), store.subkey(aside_subkey), store.superblock().store);
    ASSERT_TRUE(record);
    std::int64_t aside = 0;
    for (const auto& table : salvaged.tables) aside += table.rows_aside;
    EXPECT_EQ(record->at("rows"), aside);
    EXPECT_EQ(record->at("kept").size(), static_cast<std::size_t>(aside));
    EXPECT_EQ(record->at("lost_pages").size(), 1U);
    EXPECT_EQ(check(saved(), slot_of('k'))->salvaged_rows_aside, aside);
}

// Else the record of very many of them is longer than what is read again.
TEST_F(SalvageTest, SmallRowsThatAreSetAsideHaveABoundToo) {
    constexpr std::size_t fit = aside_bytes_max / (aside_row_bytes + 8), rows = fit + 100;
    Aside aside;
    const std::array<std::byte, 8> payload{};
    for (std::size_t row = 0; row < rows; ++row) aside.add("identifier_token", "another row has its place", 0, payload);
    const auto key = image().subkey(aside_subkey);
    const auto store = image().superblock().store;
    ASSERT_TRUE(aside.write(folder_.path(), key, store, {}));
    const auto said = read_aside(folder_.path(), key, store);
    ASSERT_TRUE(said);
    EXPECT_EQ(said->at("rows"), rows);
    EXPECT_EQ(said->at("kept").size(), fit);
    EXPECT_EQ(said->at("not_kept"), rows - fit);
}

TEST_F(SalvageTest, ARecordOfWhatWasSetAsideThatCannotBeReadIsSaid) {
    damage(leaves_of("patient")[1]);
    save();
    const auto whole = content(saved() / aside_file);
    const auto expect_said = [&](const char* how) {
        const auto checked = check(saved(), slot_of('k'));
        ASSERT_TRUE(checked) << how;
        EXPECT_TRUE(checked->salvage_record_damaged) << how;
        EXPECT_EQ(checked->salvaged_rows_aside, -1) << how;
        EXPECT_FALSE(checked->sound()) << how;
        EXPECT_FALSE(checked->needs_salvage()) << how;
    };
    for (const std::uint64_t at : {std::uint64_t{3}, std::uint64_t{60}, whole.size() - 1}) {
        put(saved() / aside_file, whole);
        flip(saved() / aside_file, at);
        expect_said("a byte is another");
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{16}, whole.size() - 1}) {
        put(saved() / aside_file, whole.substr(0, size));
        expect_said("it was cut off");
    }
    fs::remove(saved() / aside_file);
    fs::create_directory(saved() / aside_file);
    expect_said("a folder stands in its place");
    fs::remove(saved() / aside_file);
    const auto without = check(saved(), slot_of('k'));
    EXPECT_FALSE(without->salvage_record_damaged);
    EXPECT_TRUE(without->sound());
}

TEST_F(SalvageTest, RefusesWhileTheStoreIsOpenAndWhereSomethingIs) {
    reopen();
    EXPECT_EQ(try_salvage().error().code, Errc::refused);
    EXPECT_EQ(check(old(), slot_of('k')).error().code, Errc::refused);
    store_.reset();
    fs::create_directory(saved());
    put(saved() / "something", "x");
    EXPECT_EQ(try_salvage().error().code, Errc::refused);
    EXPECT_EQ(salvage(old(), old() / "new", slot_of('k'), clock_).error().code, Errc::refused);
    EXPECT_EQ(salvage(old(), folder_ / "other", slot_of('x'), clock_).error().code, Errc::locked);
    fs::remove(keys());
    EXPECT_EQ(salvage(old(), folder_ / "other", slot_of('k'), clock_).error().code, Errc::conflict);
    EXPECT_FALSE(fs::exists(folder_ / "other"));
    EXPECT_FALSE(fs::exists(folder_ / "other.unfinished"));
}

// A kill, as a power cut: the new folder is there whole or not at all, and the next run goes through.
TEST_F(SalvageTest, KilledAtAnyMomentItLeavesNothingThatLooksFinished) {
    damage(leaves_of("patient")[2]);
    std::mt19937 random{20'261'126};
    int cut = 0;
    for (int round = 0; round < (support::long_run() ? 200 : 12); ++round) {
        const auto child = fork();
        if (child == 0) _exit(try_salvage() ? 0 : 1);
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 120'000}); // any moment is right
        kill(child, SIGKILL);
        int status = 0;
        waitpid(child, &status, 0);
        if (!fs::exists(saved())) {
            ++cut;
            continue;
        }
        const auto checked = check(saved(), slot_of('k'));
        ASSERT_TRUE(checked);
        EXPECT_TRUE(checked->sound()) << round;
        fs::remove_all(saved());
    }
    EXPECT_GT(cut, 0);
    EXPECT_FALSE(save().complete());
}

TEST_F(SalvageTest, AnyDamageLeavesAStoreThatWorksAndInventsNothing) {
    support::Campaign rounds{{.name = "salvage_damage", .what = "stores damaged at random", .plain = 10, .most = 500}};
    while (const auto seed = rounds.next()) {
        SCOPED_TRACE("seed " + std::to_string(*seed));
        std::mt19937_64 random{*seed};
        put(database(), sound_bytes_);
        fs::remove_all(saved());
        const auto pages = (sound_bytes_.size() - crypto::main_head_bytes) / page;
        const auto hits = 1 + random() % 8;
        for (std::uint64_t i = 0; i < hits; ++i) damage(static_cast<PageNo>(1 + random() % pages));
        const auto salvaged = save();
        expect_nothing_invented(salvaged);
        const auto checked = check(saved(), slot_of('k'));
        ASSERT_TRUE(checked);
        EXPECT_TRUE(checked->sound()) << (checked->integrity.empty() ? "" : checked->integrity[0]);
        options_.folder = saved();
        reopen();
        for (int i = 0; i < people; i += 37) upsert(person(std::to_string(i).c_str()));
        store_.reset();
        options_.folder = folder_ / "records";
    }
}

} // namespace
} // namespace clinic::salvage
