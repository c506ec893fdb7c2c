// What intake cannot take is kept once, and taken when it is replayed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/intake/ingest.h"
#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using testing::Desk;
using testing::expect_balanced;
using testing::field_of;
using ::testing::HasSubstr;
using testing::joined;
using testing::msh;
using ::testing::Not;
using testing::pid;

TEST(Ingest, KeepsWhatItCannotTakeInTheQuarantineOnce) {
    Desk desk;
    const std::string bad = joined({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||Doe^J||19851331"});
    const std::string answer = desk.send(bad);
    EXPECT_EQ(field_of(answer, "MSA", 1), "AE");
    EXPECT_EQ(field_of(answer, "ERR", 2), "PID^1^7");
    EXPECT_EQ(field_of(answer, "ERR", 3), "102^Data type error^HL70357");
    EXPECT_THAT(answer, Not(HasSubstr("19851331")));
    desk.send(bad);
    ASSERT_EQ(desk.quarantine().size(), 1U) << "a sender repeats it for ever";
    EXPECT_EQ(desk.quarantine()[0].at.field, 7);
    EXPECT_EQ(desk.quarantine()[0].at.segment, 2);
    EXPECT_EQ(desk.books().quarantined, 2);
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link WHERE detail = 'message'"), 1) << "nor does the chain grow";
    EXPECT_EQ(desk.code("not HL7 at all"), "AE");
    EXPECT_EQ(desk.quarantine().size(), 2U);
    expect_balanced(desk.books());
}

// The quarantine forgets before the mark does: what comes then is not lost.
TEST(Ingest, KeepsWhatItCannotTakeAgainWhenTheQuarantineHasForgottenIt) {
    Desk desk;
    const std::string bad = joined({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||Doe^J||19851331"});
    for (const int kept : {1, 2}) {
        desk.send(bad);
        desk.send(bad);
        ASSERT_EQ(desk.quarantine().size(), 1U) << kept;
        EXPECT_EQ(desk.quarantine()[0].id, kept);
        desk.clock.advance(std::chrono::hours{24 * 8});
        ASSERT_TRUE(desk.store->write([](records::Transaction& txn) -> Result<void> {
            const auto items = records::purge_quarantine(txn, std::chrono::hours{24 * 7});
            return items ? Result<void>{} : items.error();
        }));
    }
    EXPECT_EQ(desk.books().quarantined, 4);
}

TEST(Ingest, KeepsNoMoreOfWhatSomebodyHasDiscardedWhileItIsThere) {
    Desk desk;
    const std::string bad = joined({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||Doe^J||19851331"});
    desk.send(bad);
    ASSERT_TRUE(desk.store->write([&](records::Transaction& txn) { return records::discard(txn, 1); }));
    desk.send(bad);
    ASSERT_EQ(desk.quarantine().size(), 1U);
    EXPECT_TRUE(desk.quarantine()[0].is_settled());
}

TEST(Ingest, ReplaysFromTheQuarantineOnceAndLeavesTheBooksAsTheyAre) {
    Desk desk{{FeedSettings{.name = "medway", .addresses = {"10.0.0.7"}}}};
    Peer medway;
    medway.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 7};
    const std::string bad = joined({msh("SIU^S12", "1"), "SCH|P1|F1|||||||||^^^20261331090000", pid("10")});
    EXPECT_EQ(field_of(desk.send_from(medway, bad), "MSA", 1), "AE");
    const auto item = desk.quarantine().at(0).id;
    const auto before = desk.books();
    const auto again = desk.ingest->replay(item, 1'000);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, Booked::quarantined) << "it is as wrong as it was";
    EXPECT_EQ(desk.quarantine().size(), 1U);
    EXPECT_EQ(desk.quarantine()[0].replayed_as, "quarantined");

    // One that could not be stored for a reason of ours is taken the second time.
    const std::string good = joined({msh("ADT^A04", "2"), pid("11")});
    std::int64_t kept = 0;
    ASSERT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
        const auto id = records::quarantine(txn, "mllp/medway", Error{Errc::full, "the store is full"}, good);
        CLINIC_TRY(id);
        kept = *id;
        return {};
    }));
    EXPECT_EQ(*desk.ingest->replay(kept, 1'000), Booked::stored);
    EXPECT_EQ(desk.facts("HOSP|11").visits, 1);
    EXPECT_EQ(*desk.ingest->replay(kept, 1'000), Booked::duplicate) << "nothing happens twice";
    EXPECT_EQ(field_of(desk.send_from(medway, good), "MSA", 1), "AA") << "and the sender's own re-send is one as well";
    const auto after = desk.books();
    EXPECT_EQ(after.received, before.received + 1);
    EXPECT_EQ(after.duplicate, before.duplicate + 1);
    EXPECT_EQ(after.stored, before.stored) << "no sender was answered for what was replayed";
    expect_balanced(after);
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link WHERE detail LIKE 'quarantine_replay %' AND actor_id = 1000"),
              4);
    EXPECT_EQ(desk.ingest->replay(999, 1'000).error().code, Errc::not_found);
}

TEST(Ingest, DoesNotReplayWhatLostBytesNorALineOfAFile) {
    Desk desk;
    desk.send(joined({msh("ADT^A04", "1"), pid("10")}), true);
    EXPECT_EQ(desk.ingest->replay(desk.quarantine().at(0).id, 0).error().code, Errc::refused);
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 0);
    std::int64_t line = 0;
    ASSERT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
        const auto id = records::quarantine(txn, "csv", Error{Errc::malformed, "x"}, "1,2,3");
        CLINIC_TRY(id);
        line = *id;
        return {};
    }));
    EXPECT_EQ(desk.ingest->replay(line, 0).error().code, Errc::unsupported);
}

} // namespace
} // namespace clinic::intake
