#include "daemon/audit/trail.h"

#include "daemon/records/store_check.h"
#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::audit {
namespace {

using records::PatientId;
using records::RawDatabase;
using records::Snapshot;
using records::Transaction;

class TrailTest : public records::Records {
protected:
    void append(const Entry& entry) {
        const auto out = store_->write([&](Transaction& txn) -> Result<void> {
            const auto made = Trail::append(txn, entry);
            return made ? Result<void>{} : made.error();
        });
        ASSERT_TRUE(out);
    }
    Result<Verified> verify() {
        return read([](Snapshot& snapshot) { return Trail::verify(snapshot); });
    }
    // Five entries, the third with two subjects of which one came later.
    void fill() {
        const auto one = PatientId::make(clock_.now());
        const auto two = PatientId::make(clock_.now());
        for (int i = 1; i <= 5; ++i) {
            const auto out = store_->write([&](Transaction& txn) -> Result<void> {
                const auto made =
                    Trail::append(txn, {Actor::feed, i, Action::update, Purpose::treatment, "A08", {one}});
                if (!made) return made.error();
                return i == 3 ? Trail::add_subject(txn, *made, two) : Result<void>{};
            });
            ASSERT_TRUE(out);
        }
        ASSERT_TRUE(verify());
    }
    // What somebody with a SQL shell does; the triggers are in the way first, then dropped.
    void tamper(const char* sql) {
        store_.reset();
        {
            RawDatabase raw{options_.folder, records::slot_of('k')};
            for (const char* trigger : {"audit_link_follows", "audit_subject_follows", "audit_link_stays",
                                        "audit_link_is_kept", "audit_subject_stays", "audit_subject_is_kept"})
                raw.run(("DROP TRIGGER IF EXISTS " + std::string{trigger}).c_str());
            raw.run(sql);
        }
        reopen();
    }
    void expect_broken(const char* sql, int at) {
        fill();
        tamper(sql);
        const auto out = verify();
        ASSERT_FALSE(out) << sql;
        EXPECT_EQ(out.error().code, Errc::tampered) << sql;
        EXPECT_EQ(out.error().at.line, at) << sql;
    }
};

TEST_F(TrailTest, AnEmptyChainIsWhole) {
    const auto out = verify();
    ASSERT_TRUE(out);
    EXPECT_EQ(out->entries, 0);
    EXPECT_EQ(out->head.size(), 64U);
}

TEST_F(TrailTest, EveryEntryMovesTheHead) {
    const auto before = verify()->head;
    append({Actor::operator_, 1000, Action::configure, Purpose::operations, "basis"});
    const auto after = verify();
    EXPECT_EQ(after->entries, 1);
    EXPECT_NE(after->head, before);
    reopen();
    EXPECT_EQ(verify()->head, after->head);
}

TEST_F(TrailTest, AnUndoneTransactionLeavesNoEntry) {
    append({Actor::job, 0, Action::system, Purpose::operations});
    const auto head = verify()->head;
    EXPECT_FALSE(store_->write([](Transaction& txn) -> Result<void> {
        const auto made = Trail::append(txn, {Actor::feed, 1, Action::create, Purpose::treatment});
        if (!made) return made.error();
        return Error{Errc::malformed, "a bad message"};
    }));
    EXPECT_EQ(verify()->head, head);
    append({Actor::job, 0, Action::system, Purpose::operations});
    EXPECT_EQ(verify()->entries, 2);
}

TEST_F(TrailTest, ASubjectThatComesLaterIsALinkOfItsOwn) {
    fill();
    const auto links = read([](Snapshot& snapshot) -> Result<std::int64_t> {
        auto count = snapshot.prepare("SELECT count(*) FROM audit_link");
        if (!count) return count.error();
        CLINIC_TRY(count->step());
        return count->integer(0);
    });
    EXPECT_EQ(links.value(), 6);
    EXPECT_EQ(verify()->entries, 5);
}

TEST_F(TrailTest, ALongListIsSeveralEntries) {
    const std::vector<PatientId> many(1'001, PatientId::make(clock_.now()));
    const auto out = store_->write([&](Transaction& txn) -> Result<void> {
        const auto made = Trail::append(txn, {Actor::operator_, 1, Action::read, Purpose::operations, "list", many});
        return made ? Result<void>{} : made.error();
    });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::full);
}

TEST_F(TrailTest, SqlCannotChangeOrRemoveALink) {
    fill();
    store_.reset();
    RawDatabase raw{options_.folder, records::slot_of('k')};
    EXPECT_TRUE(raw.refuses("UPDATE audit_link SET detail = 'x' WHERE number = 1"));
    EXPECT_TRUE(raw.refuses("DELETE FROM audit_link WHERE number = 1"));
    EXPECT_TRUE(raw.refuses("UPDATE audit_subject SET subject = x'00' WHERE link = 1"));
    EXPECT_TRUE(raw.refuses("DELETE FROM audit_subject"));
    EXPECT_TRUE(
        raw.refuses("INSERT OR REPLACE INTO audit_link SELECT 1, at, kind, refers, actor, 7, action, purpose, detail,"
                    " hash FROM audit_link WHERE number = 1"));
    EXPECT_TRUE(raw.refuses("INSERT OR REPLACE INTO audit_subject VALUES (6, 1, zeroblob(16))"));
    EXPECT_TRUE(raw.refuses("INSERT INTO audit_subject VALUES (2, 2, zeroblob(16))"));
}

TEST_F(TrailTest, AChangedActorIsFound) {
    expect_broken("UPDATE audit_link SET actor_id = 9 WHERE number = 2", 2);
}
TEST_F(TrailTest, AChangedTimeIsFound) {
    expect_broken("UPDATE audit_link SET at = at + 1 WHERE number = 1", 1);
}
TEST_F(TrailTest, AChangedDetailIsFound) {
    expect_broken("UPDATE audit_link SET detail = 'A04' WHERE number = 6", 6);
}
TEST_F(TrailTest, AChangedHashIsFound) {
    expect_broken("UPDATE audit_link SET hash = (SELECT hash FROM audit_link WHERE number = 1) WHERE number = 5", 5);
}
TEST_F(TrailTest, AMissingLinkIsFound) {
    expect_broken("DELETE FROM audit_link WHERE number = 3", 3);
}
TEST_F(TrailTest, AMissingEndIsFound) {
    expect_broken("DELETE FROM audit_subject WHERE link = 6; DELETE FROM audit_link WHERE number = 6", 6);
}
TEST_F(TrailTest, ARemovedSubjectIsFound) {
    expect_broken("DELETE FROM audit_subject WHERE link = 4", 4);
}
TEST_F(TrailTest, AnAddedSubjectIsFound) {
    expect_broken("INSERT INTO audit_subject VALUES (2, 2, zeroblob(16))", 2);
}
TEST_F(TrailTest, ASubjectOfNoLinkIsFound) {
    expect_broken("INSERT INTO audit_subject VALUES (77, 1, zeroblob(16))", 7);
}
TEST_F(TrailTest, AnExchangedSubjectIsFound) {
    expect_broken("UPDATE audit_subject SET subject = zeroblob(16) WHERE link = 4", 4);
}
TEST_F(TrailTest, TwoExchangedLinksAreFound) {
    expect_broken(
        "UPDATE audit_link SET number = 99 WHERE number = 1; UPDATE audit_link SET number = 1 WHERE number = 2;"
        "UPDATE audit_link SET number = 2 WHERE number = 99",
        1);
}
TEST_F(TrailTest, AValueThatWrapsToTheSameByteIsFound) {
    expect_broken("UPDATE audit_link SET actor = actor + 256 WHERE number = 2", 2);
}

TEST_F(TrailTest, ASubjectBeforeTheFirstLinkIsFound) {
    expect_broken("INSERT INTO audit_subject VALUES (0, 1, zeroblob(16))", 0);
}

// What is lost of it: the newest links, and what else tells that they were there.
struct LostEnd {
    const char* name;
    const char* sql;
};

class AChainWithoutItsEnd : public TrailTest, public testing::WithParamInterface<LostEnd> {
protected:
    void SetUp() override {
        TrailTest::SetUp();
        fill();
        options_.on_damage = [this](const Error& why) { told_.push_back(why); };
        tamper(GetParam().sql);
    }
    Result<void> try_to_append() {
        return store_->write([](Transaction& txn) -> Result<void> {
            CLINIC_TRY(Trail::append(txn, {Actor::job, 0, Action::system, Purpose::operations}));
            return {};
        });
    }
    Result<void> say_lost(std::int64_t first, std::int64_t last) {
        return store_->write([&](Transaction& txn) { return Trail::say_lost(txn, {first, last}); });
    }
    std::vector<Error> told_; // written by the store's writer while a write of ours waits for it
};

TEST_P(AChainWithoutItsEnd, DoesNotGrowAndTheStoreIsSaidToBeDamagedOnce) {
    const auto end = store_->read([](Snapshot& snapshot) { return Trail::check_end(snapshot); });
    ASSERT_FALSE(end);
    EXPECT_EQ(end.error().code, Errc::tampered);
    for (int i = 0; i < 3; ++i) {
        const auto out = try_to_append();
        ASSERT_FALSE(out);
        EXPECT_EQ(out.error().code, Errc::tampered);
        EXPECT_STREQ(out.error().what.c_str(), "the newest links of the audit chain are lost");
    }
    const auto noted = read([](Snapshot& snapshot) { return setting(snapshot, records::damage_setting); });
    EXPECT_EQ(*noted, "1");
    ASSERT_EQ(told_.size(), 1U);
    EXPECT_NE(std::string{told_[0].remedy.c_str()}.find("clinicctl store salvage"), std::string::npos);
}

TEST_P(AChainWithoutItsEnd, GrowsAgainBehindALinkThatSaysWhatIsLost) {
    EXPECT_FALSE(say_lost(5, 5)) << "6 would be given twice";
    ASSERT_TRUE(say_lost(5, 6));
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(try_to_append());
    const auto verified = verify();
    ASSERT_TRUE(verified);
    ASSERT_EQ(verified->gaps.size(), 1U);
    EXPECT_EQ(verified->gaps[0].first, 5);
    EXPECT_EQ(verified->gaps[0].last, 6);
    EXPECT_EQ(verified->gaps[0].said_by, 7);
    EXPECT_EQ(read([](Snapshot& snapshot) { return Trail::newest(snapshot); }).value(), 17);
    tamper("UPDATE audit_link SET refers = 6 WHERE number = 7");
    EXPECT_EQ(verify().error().at.line, 5) << "only a link that is proven says anything";
}

// Its end is known from memory, and the tables have lost it since.
TEST_F(TrailTest, LinksThatGoWhileTheBoxRunsAreFoundByTheNextOne) {
    fill();
    store_.reset();
    {
        RawDatabase raw{options_.folder, records::slot_of('k')};
        raw.run("DROP TRIGGER audit_link_is_kept");
        raw.run("DELETE FROM audit_link WHERE number > 4");
    }
    std::vector<Error> told; // by the store's writer while a write of ours waits for it
    options_.on_damage = [&told](const Error& why) { told.push_back(why); };
    reopen();
    const auto out = store_->write([](Transaction& txn) -> Result<void> {
        txn.keep({}, records::AuditEnd{.newest = 6, .given = 6});
        CLINIC_TRY(Trail::append(txn, {Actor::job, 0, Action::system, Purpose::operations}));
        return {};
    });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::tampered);
    ASSERT_TRUE(store_->write([](Transaction&) -> Result<void> { return {}; })); // behind what notes the damage
    const auto noted = read([](Snapshot& snapshot) { return setting(snapshot, records::damage_setting); });
    EXPECT_EQ(*noted, "1");
    EXPECT_EQ(told.size(), 1U);
    store_.reset(); // it tells of `told`
}

INSTANTIATE_TEST_SUITE_P(
    All, AChainWithoutItsEnd,
    testing::Values(
        LostEnd{"links", "DELETE FROM audit_link WHERE number > 4"},
        LostEnd{"links_and_subjects",
                "DELETE FROM audit_link WHERE number > 4; DELETE FROM audit_subject WHERE link > 4"},
        LostEnd{
            "links_and_the_counter",
            "DELETE FROM audit_link WHERE number > 4; UPDATE sqlite_sequence SET seq = 4 WHERE name = 'audit_link'"}),
    [](const auto& one) { return std::string{one.param.name}; });

TEST_F(TrailTest, AllLinksLostIsAnEndLostToo) {
    fill();
    tamper("DELETE FROM audit_link");
    EXPECT_FALSE(store_->read([](Snapshot& snapshot) { return Trail::check_end(snapshot); }));
    EXPECT_EQ(verify().error().at.line, 1);
}

TEST_F(TrailTest, AGapInTheMiddleIsSaidByTheNewestLink) {
    fill();
    tamper("DELETE FROM audit_link WHERE number IN (2, 3)");
    ASSERT_TRUE(store_->read([](Snapshot& snapshot) { return Trail::check_end(snapshot); })) << "it can grow";
    EXPECT_EQ(verify().error().at.line, 2);
    const auto say = [&](std::int64_t first, std::int64_t last) {
        return store_->write([&](Transaction& txn) { return Trail::say_lost(txn, {first, last}); });
    };
    ASSERT_TRUE(say(2, 3));
    EXPECT_FALSE(verify()) << "nothing proves link 4 either";
    ASSERT_TRUE(say(2, 4));
    const auto verified = verify();
    ASSERT_TRUE(verified);
    ASSERT_EQ(verified->gaps.size(), 1U);
    EXPECT_EQ(verified->gaps[0].last, 4);
    EXPECT_EQ(verified->gaps[0].said_by, 8);
    EXPECT_FALSE(say(0, 4));
    EXPECT_FALSE(say(4, 2));
}

TEST_F(TrailTest, NoLinkThatSaysWhatIsLostTakesAnothersPlace) {
    fill();
    store_.reset();
    RawDatabase raw{options_.folder, records::slot_of('k')};
    const auto insert = [](const char* values) {
        return "INSERT OR REPLACE INTO audit_link SELECT " + std::string{values} +
               ", 0, 0, detail, hash FROM audit_link WHERE number = 1";
    };
    EXPECT_TRUE(raw.refuses(insert("3, at, 3, 1, 0, 2").c_str())) << "in the place of link 3";
    EXPECT_TRUE(raw.refuses(insert("9, at, 3, 8, 0, 8").c_str())) << "7 is not said to be lost";
    EXPECT_TRUE(raw.refuses(insert("9, at, 3, 7, 0, 7").c_str())) << "nor 8";
    EXPECT_TRUE(raw.refuses(insert("9, at, 1, 7, 0, 8").c_str())) << "an entry";
    EXPECT_FALSE(raw.refuses(insert("9, at, 3, 7, 0, 8").c_str()));
}

TEST_F(TrailTest, NamesEveryWord) {
    EXPECT_STREQ(name(Actor::operator_), "operator");
    EXPECT_STREQ(name(Action::quarantine), "quarantine");
    EXPECT_STREQ(name(Purpose::support), "support");
}

} // namespace
} // namespace clinic::audit
