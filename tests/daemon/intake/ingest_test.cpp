#include "daemon/intake/ingest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "daemon/records/identifier_index.h"
#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using records::AppointmentStatus;
using records::PatientStatus;
using testing::Desk;
using ::testing::ElementsAre;
using testing::expect_balanced;
using testing::field_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::joined;
using testing::msh;
using ::testing::Not;
using testing::pid;

TEST(Ingest, AnswersAaOnceTheRecordIsThere) {
    Desk desk;
    EXPECT_EQ(desk.code({msh("ADT^A04", "1"), pid("10")}), "AA");
    EXPECT_EQ(desk.find("name", "quillfeather jane").size(), 1U);
    EXPECT_EQ(desk.find("phone", "617 555 0142").size(), 1U);
    EXPECT_EQ(desk.facts("HOSP|10").visits, 1);
    EXPECT_EQ(desk.count("SELECT count(*) FROM raw_message"), 1);
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link WHERE detail = 'ADT^A04'"), 1);
    const auto books = desk.books();
    EXPECT_EQ(books.received, 1);
    EXPECT_EQ(books.stored, 1);
}

TEST(Ingest, ReleasesWhatTheBasisAllows) {
    Desk desk;
    desk.send({msh("ADT^A04", "1"), pid("10")});
    EXPECT_EQ(desk.released(), 0);
    desk.open_basis();
    desk.send({msh("SIU^S12", "2"), "SCH|P1|F1|||||||||^^^20261201090000", pid("10")});
    EXPECT_GE(desk.released(), 2);
}

TEST(Ingest, RecognisesAResendAndAnswersItAgain) {
    Desk desk;
    const std::vector<std::string> message = {msh("ADT^A04", "1"), pid("10")};
    EXPECT_EQ(desk.code(message), "AA");
    EXPECT_EQ(desk.code(message), "AA");
    const auto books = desk.books();
    EXPECT_EQ(books.stored, 1);
    EXPECT_EQ(books.duplicate, 1);
    expect_balanced(books);
    EXPECT_EQ(desk.count("SELECT count(*) FROM raw_message"), 1);
    EXPECT_THAT(desk.alerts, IsEmpty());
}

TEST(Ingest, ProcessesAReusedIdAndRaisesAnAlert) {
    Desk desk;
    desk.send({msh("ADT^A04", "1"), pid("10")});
    EXPECT_EQ(desk.code({msh("ADT^A04", "1"), pid("11")}), "AA");
    EXPECT_TRUE(desk.number("HOSP|11"));
    EXPECT_THAT(desk.alerts, ElementsAre("E3001"));
    EXPECT_EQ(desk.books().stored, 2);
    EXPECT_EQ(desk.code({msh("ADT^A04", "1", "20261121100001"), pid("12")}), "AA") << "another time, another message";
    EXPECT_EQ(desk.alerts.size(), 1U);
}

TEST(Ingest, RefusesOtherTypesAndCountsWhichTheyWere) {
    Desk desk;
    const std::string oru = desk.send({msh("ORU^R01", "1"), pid("10")});
    EXPECT_EQ(field_of(oru, "MSA", 1), "AR");
    EXPECT_EQ(field_of(oru, "ERR", 3), "200^Unsupported message type^HL70357");
    const std::string a24 = desk.send({msh("ADT^A24", "2"), pid("10")});
    EXPECT_EQ(field_of(a24, "ERR", 3), "201^Unsupported event code^HL70357");
    desk.send({msh("ORU^R01", "3"), pid("10")});
    desk.send({msh("Quill^feather", "4"), pid("10")});
    EXPECT_THAT(desk.ingest->unsupported(),
                ElementsAre(std::pair{"?^?", 1}, std::pair{"ADT^A24", 1}, std::pair{"ORU^R01", 2}));
    const auto books = desk.books();
    EXPECT_EQ(books.refused, 4);
    expect_balanced(books);
    EXPECT_THAT(desk.quarantine(), IsEmpty());
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 0);
}

TEST(Ingest, NeverAcknowledgesWithoutAnIdNorADamagedFrameNorTwoMessages) {
    Desk desk;
    EXPECT_EQ(desk.code({msh("ADT^A04", ""), pid("10")}), "AE");
    const std::string good = joined({msh("ADT^A04", "1"), pid("10")});
    EXPECT_EQ(field_of(desk.send(good, true), "MSA", 1), "AE");
    EXPECT_EQ(desk.code(good + joined({msh("ADT^A04", "2"), pid("11")})), "AE");
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 0);
    const std::string doubled = desk.send({msh("ADT^A04", "3"), msh("ADT^A04", "4"), pid("10")});
    EXPECT_EQ(field_of(doubled, "MSA", 1), "AA");
    EXPECT_EQ(field_of(doubled, "MSA", 2), "3");
}

TEST(Ingest, AnswersInEnhancedModeAndStaysSilentOnlyWhereASiteAgreed) {
    Desk desk{
        {FeedSettings{.name = "pms", .sender = "APP|FAC", .rules = {.acknowledgement = Acknowledgement::silent}}}};
    const Peer pms{.address = {1}};
    const auto code = [&](const std::vector<std::string>& lines) {
        return field_of(desk.send_from(pms, joined(lines)), "MSA", 1);
    };
    EXPECT_EQ(code({msh("ADT^A04", "1", "2026", "P|2.5|||AL|NE"), pid("10")}), "CA");
    EXPECT_EQ(code({msh("ORU^R01", "2", "2026", "P|2.5|||AL|NE"), pid("10")}), "CR");
    EXPECT_EQ(code({msh("ADT^A04", "3", "2026", "P|2.5|||ER|"), "PID|"}), "CE");
    EXPECT_EQ(desk.send_from(pms, joined({msh("ADT^A04", "4", "2026", "P|2.5|||NE|NE"), pid("11")})), "");
    EXPECT_TRUE(desk.number("HOSP|11"));
    Desk other;
    EXPECT_EQ(other.code({msh("ADT^A04", "4", "2026", "P|2.5|||NE|NE"), pid("11")}), "AA");
}

TEST(Ingest, AnswersASenderInItsOwnMode) {
    Desk desk{
        {FeedSettings{.name = "plain", .sender = "APP|FAC", .rules = {.acknowledgement = Acknowledgement::original}},
         FeedSettings{.name = "commit", .sender = "LAB|FAC", .rules = {.acknowledgement = Acknowledgement::enhanced}}}};
    const Peer anywhere{.address = {1}};
    EXPECT_EQ(
        field_of(desk.send_from(anywhere, joined({msh("ADT^A04", "1", "2026", "P|2.5|||AL|AL"), pid("10")})), "MSA", 1),
        "AA");
    EXPECT_EQ(field_of(desk.send_from(anywhere, joined({"MSH|^~\\&|LAB|FAC|CE|BOX|2026||ADT^A04|1|P|2.5", pid("11")})),
                       "MSA", 1),
              "CA");
}

TEST(Ingest, KeepsABookForEachSenderThatHasAName) {
    Desk desk{{FeedSettings{.name = "pms", .addresses = {"10.0.0.7"}},
               FeedSettings{.name = "idle", .addresses = {"10.0.0.8"}}}};
    Peer pms;
    pms.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 10, 0, 0, 7};
    const std::string good = joined({msh("ADT^A04", "1"), pid("10")});
    EXPECT_EQ(field_of(desk.send_from(pms, good), "MSA", 1), "AA");
    EXPECT_EQ(field_of(desk.send_from(pms, good), "MSA", 1), "AA");
    EXPECT_EQ(field_of(desk.send_from(pms, joined({msh("ORU^R01", "2")})), "MSA", 1), "AR");
    desk.send_from(pms, "MSH|cut", Frame::State::damaged);
    EXPECT_EQ(field_of(desk.send_from(pms, msh("ADT^A04", "3"), Frame::State::oversized), "MSA", 2), "3");
    desk.send({msh("ADT^A04", "4"), pid("11")});
    const auto own = desk.books(feed_of("pms"));
    EXPECT_EQ(own.received, 5);
    EXPECT_EQ(own.stored, 1);
    EXPECT_EQ(own.duplicate, 1);
    EXPECT_EQ(own.refused, 2);
    EXPECT_EQ(own.quarantined, 1);
    EXPECT_EQ(desk.books().received, 6) << "and in the feed's book with everybody else's";
    expect_balanced(desk.books());
    EXPECT_EQ(desk.books(feed_of("idle")).received, 0);
    EXPECT_FALSE(desk.books(feed_of("idle")).last_at);
    EXPECT_EQ(desk.count("SELECT count(*) FROM raw_message WHERE feed = 'mllp/pms'"), 1);
    EXPECT_EQ(desk.quarantine().at(0).feed, "mllp/pms");
}

TEST(Ingest, ReadsASendersMessagesByItsOwnRules) {
    Desk desk{{FeedSettings{.name = "medway",
                            .rules = {.status_words = {{"roomed", AppointmentStatus::arrived}},
                                      .preadmit_is_appointment = true,
                                      .character_set = "8859/2"}}}};
    const Peer medway{.address = {1}};
    const std::string pv1 = "PV1|1|O" + std::string(17, '|') + "V77" + std::string(25, '|') + "20261201090000Z";
    desk.send_from(medway, joined({msh("ADT^A05", "1"), "PID|1||10^^^HOSP^MR||\xA3uk^Ewa", pv1}));
    EXPECT_EQ(desk.facts("HOSP|10").appointments.size(), 1U);
    EXPECT_EQ(desk.find("name", "\xC5\x81uk Ewa").size(), 1U);
    EXPECT_EQ(desk.ingest->numbers().character_sets_assumed, 1);
    desk.send_from(medway, joined({msh("SIU^S14", "2"), "SCH|P|F" + std::string(23, '|') + "Roomed", pid("11")}));
    EXPECT_EQ(desk.facts("HOSP|11").appointments.at(0).status, AppointmentStatus::arrived);
}

TEST(Ingest, CountsWhatCameLate) {
    Desk desk;
    desk.send({msh("ADT^A08", "1", "20261121100500"), pid("10")});
    desk.send({msh("ADT^A08", "2", "20261121100000"), pid("10")});
    EXPECT_EQ(desk.ingest->numbers().late, 1);
}

// The clock was ahead, and has been set right: for what says no time, or no more than today, receipt is the order.
TEST(Ingest, WhatSaysNoTimeCountsAsItComesWhateverTheClockSaidBefore) {
    for (const char* said : {"", "2026", "20261121"}) {
        Desk desk;
        const auto right = desk.clock.now();
        desk.clock.advance(std::chrono::hours{2});
        desk.send({msh("ADT^A08", "1", said), pid("10", "First^Name")});
        desk.clock.set(right);
        desk.send({msh("ADT^A08", "2", said), pid("10", "Second^Name")});
        EXPECT_EQ(desk.find("name", "second name").size(), 1U) << said;
        desk.send({msh("ADT^A08", "3", said), pid("10", "Third^Name")});
        EXPECT_EQ(desk.find("name", "third name").size(), 1U) << said;
        EXPECT_EQ(desk.ingest->numbers().late, 0) << said;
        desk.send({msh("ADT^A08", "4", "20261120090000"), pid("10", "Older^Name")});
        EXPECT_THAT(desk.find("name", "older name"), IsEmpty()) << "what says a time has its place in it";
    }
}

// A time that it says itself is no later for a message after it that says none.
TEST(Ingest, WhatSaysNoTimeDoesNotTakeTheTimeOfWhatSaysOne) {
    Desk desk;
    desk.send({msh("ADT^A08", "1", "20261121130000"), pid("10", "Dated^Name")}); // of a zone to the east
    desk.send({msh("ADT^A08", "2", ""), pid("10", "Undated^Name")});
    EXPECT_EQ(desk.find("name", "undated name").size(), 1U);
    desk.send({msh("ADT^A08", "3", "20261121130000"), pid("10", "Again^Name")});
    EXPECT_EQ(desk.find("name", "again name").size(), 1U) << "of the same second";
}

TEST(Ingest, CountsAVisitAgainInTheOrderOfArrival) {
    Desk desk;
    const std::string pv1 = "PV1|1|O" + std::string(42, '|') + "20261110083000";
    desk.clock.advance(std::chrono::hours{2});
    desk.send({msh("ADT^A11", "1", ""), pid("10"), pv1});
    desk.clock.set(desk.clock.now() - std::chrono::hours{2});
    desk.send({msh("ADT^A04", "2", ""), pid("10"), pv1});
    EXPECT_EQ(desk.facts("HOSP|10").visits, 1);
}

TEST(Ingest, UpdatesASnapshotAndNeverGoesBackInTime) {
    Desk desk;
    desk.send({msh("ADT^A28", "1", "20261121080000"), pid("10")});
    desk.send({msh("ADT^A31", "2", "20261121090000"), "PID|1||10^^^HOSP^MR||Marrow^||||||||\"\""});
    EXPECT_EQ(desk.find("name", "marrow jane").size(), 1U) << "an absent given name is kept";
    EXPECT_THAT(desk.find("phone", "6175550142"), IsEmpty()) << "two quotes clear";
    EXPECT_EQ(desk.code({msh("ADT^A08", "3", "20261121083000"), pid("10", "Older^Name")}), "AA");
    EXPECT_EQ(desk.find("name", "marrow jane").size(), 1U);
    EXPECT_THAT(desk.find("name", "older name"), IsEmpty());
    expect_balanced(desk.books());
}

TEST(Ingest, MergesAndKeepsTheOldNumberAsAnAliasForEver) {
    Desk desk;
    desk.open_basis();
    desk.send({msh("ADT^A28", "1"), pid("10")});
    desk.send({msh("ADT^A28", "2"), pid("11", "Quillfeather^J")});
    desk.send({msh("SIU^S12", "3"), "SCH|P1|F1|||||||||^^^20261201090000", pid("11", "Quillfeather^J")});
    EXPECT_EQ(desk.code({msh("ADT^A40", "4"), pid("10"), "MRG|11^^^HOSP^MR"}), "AA");
    EXPECT_EQ(desk.number("HOSP|10"), desk.number("HOSP|11"));
    EXPECT_EQ(desk.facts("HOSP|10").appointments.size(), 1U);
    desk.send({msh("ADT^A04", "5", "20261121110000"), pid("11", "Quillfeather^Janet")});
    EXPECT_EQ(desk.facts("HOSP|10").visits, 1);
    EXPECT_EQ(desk.find("name", "quillfeather janet"), std::vector{*desk.number("HOSP|10")});
}

TEST(Ingest, MergesPeopleItHasNotSeenBefore) {
    Desk desk;
    EXPECT_EQ(desk.code({msh("ADT^A34", "1", "2026", "P|2.3"), pid("10"), "MRG|11^^^HOSP^MR"}), "AA");
    ASSERT_TRUE(desk.number("HOSP|11"));
    EXPECT_EQ(desk.number("HOSP|10"), desk.number("HOSP|11"));
    EXPECT_EQ(desk.code({msh("ADT^A40", "2"), pid("10"), "MRG|11^^^HOSP^MR"}), "AA") << "a no-op the second time";
    EXPECT_EQ(desk.code({msh("ADT^A40", "3"), pid("10"), "MRG|10^^^HOSP^MR"}), "AA") << "into itself";
}

TEST(Ingest, ChangesANumberWithoutMakingASecondPerson) {
    Desk desk;
    desk.send({msh("ADT^A28", "1"), pid("10")});
    EXPECT_EQ(desk.code({msh("ADT^A47", "2"), pid("20"), "MRG|10^^^HOSP^MR"}), "AA");
    EXPECT_EQ(desk.number("HOSP|10"), desk.number("HOSP|20"));
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 1);
    desk.send({msh("ADT^A28", "3"), pid("30")});
    EXPECT_EQ(desk.code({msh("ADT^A47", "4"), pid("30"), "MRG|20^^^HOSP^MR"}), "AA") << "both known: a merge";
    EXPECT_EQ(desk.number("HOSP|10"), desk.number("HOSP|30"));
}

TEST(Ingest, MarksADeletedPersonInactive) {
    Desk desk;
    desk.send({msh("ADT^A28", "1"), pid("10")});
    EXPECT_EQ(desk.code({msh("ADT^A29", "2", "20261121100100"), pid("10")}), "AA");
    EXPECT_EQ(desk.facts("HOSP|10").status, PatientStatus::inactive);
    desk.send({msh("ADT^A28", "3", "20261121100200"), pid("10")});
    EXPECT_EQ(desk.facts("HOSP|10").status, PatientStatus::active);
}

TEST(Ingest, CancelsAVisit) {
    Desk desk;
    const std::string pv1 = "PV1|1|O" + std::string(42, '|') + "20261110083000";
    desk.send({msh("ADT^A04", "1"), pid("10"), pv1});
    EXPECT_EQ(desk.facts("HOSP|10").visits, 1);
    EXPECT_EQ(desk.code({msh("ADT^A11", "2"), pid("10"), pv1}), "AA");
    EXPECT_EQ(desk.facts("HOSP|10").visits, 0);
}

TEST(Ingest, CountsAVisitThatIsToldAfterANewerUpdate) {
    Desk desk;
    desk.send({msh("ADT^A08", "1", "20261121100500"), pid("10", "Newer^Name")});
    EXPECT_EQ(desk.code({msh("ADT^A04", "2", "20261121100000"), "PID|1||10^^^HOSP^MR~77^^^LAB^PI||Older^Name"}), "AA");
    EXPECT_EQ(desk.facts("HOSP|10").visits, 1);
    EXPECT_EQ(desk.number("LAB|77"), desk.number("HOSP|10")) << "and its numbers are the person's";
    EXPECT_EQ(desk.find("name", "newer name").size(), 1U) << "but the name is not taken back";
    EXPECT_THAT(desk.find("name", "older name"), IsEmpty());
}

TEST(Ingest, DoesNotCountAVisitWhoseCancellationCameFirst) {
    Desk desk;
    const std::string pv1 = "PV1|1|O" + std::string(42, '|') + "20261110083000";
    desk.send({msh("ADT^A11", "1", "20261110084000"), pid("10"), pv1});
    desk.send({msh("ADT^A04", "2", "20261110083000"), pid("10"), pv1});
    EXPECT_EQ(desk.facts("HOSP|10").visits, 0);
    desk.send({msh("ADT^A04", "3", "20261110090000"), pid("10"), pv1});
    EXPECT_EQ(desk.facts("HOSP|10").visits, 1) << "said again after the cancellation";
    desk.send({msh("ADT^A08", "4", "20261112090000"), pid("10")});
    desk.send({msh("ADT^A11", "5", "20261111090000"), pid("10")});
    EXPECT_EQ(desk.facts("HOSP|10").visits, 0) << "late and without a time: the latest visit of that time";
}

TEST(Ingest, TakesTheTimeOfAnAppointmentFromAMessageThatComesLate) {
    Desk desk;
    desk.send({msh("SIU^S14", "1", "20261121100500"), "SCH|P1|F1", pid("10")});
    desk.send({msh("SIU^S12", "2", "20261121100000"), "SCH|P1|F1|||||||||^^^20261201090000", pid("10")});
    EXPECT_EQ(desk.count("SELECT count(*) FROM appointment WHERE start_at IS NOT NULL"), 1);
}

TEST(Ingest, FollowsAnAppointmentThroughItsEvents) {
    Desk desk;
    auto said = [&desk, number = 0](const char* event, const std::string& start, const char* word = "") mutable {
        const std::string id = std::to_string(++number);
        const std::string sch = "SCH|P1|F1|||||||||^^^" + start + std::string(14, '|') + word;
        EXPECT_EQ(desk.code({msh(event, id, "202611211000" + std::to_string(10 + number)), sch, pid("10")}), "AA");
        const auto facts = desk.facts("HOSP|10");
        return facts.appointments.empty() ? std::nullopt : std::optional{facts.appointments.front().status};
    };
    EXPECT_EQ(said("SIU^S13", "20261201090000"), AppointmentStatus::rescheduled) << "unknown: created";
    EXPECT_EQ(said("SIU^S14", "20261201090000", "Confirmed"), AppointmentStatus::confirmed);
    EXPECT_EQ(said("SIU^S14", "20261201100000"), AppointmentStatus::confirmed) << "no word: kept";
    EXPECT_EQ(said("SIU^S26", ""), AppointmentStatus::no_show);
    EXPECT_EQ(desk.count("SELECT count(*) FROM appointment WHERE start_at IS NOT NULL"), 1);
    EXPECT_EQ(said("SIU^S17", ""), std::nullopt) << "entered in error: not there";
}

// The sender says when it begins now, and not how long it is: as long as it was.
TEST(Ingest, MovesTheEndOfAnAppointmentWithItsStart) {
    Desk desk;
    desk.send({msh("SIU^S12", "1", "20261121100001"), "SCH|P1|F1|||||||||^^^20261201090000^20261201094500", pid("10")});
    desk.send({msh("SIU^S13", "2", "20261121100002"), "SCH|P1|F1|||||||||^^^20261202150000", pid("10")});
    const auto moved = desk.facts("HOSP|10").appointments.at(0);
    ASSERT_TRUE(moved.start && moved.end);
    EXPECT_EQ(base::rfc3339(*moved.start), "2026-12-02T15:00:00Z");
    EXPECT_EQ(base::rfc3339(*moved.end), "2026-12-02T15:45:00Z");
}

TEST(Ingest, StoresABlockOutAndSaysNothingOfIt) {
    Desk desk;
    desk.open_basis();
    EXPECT_EQ(desk.code({msh("SIU^S12", "1"), "SCH|P1|F1|||||||||^^^20261201090000"}), "AA");
    EXPECT_EQ(desk.code({msh("SIU^S23", "2"), "SCH|P2|F2|||||||||^^^20261201090000", pid("10")}), "AA");
    EXPECT_EQ(desk.count("SELECT count(*) FROM appointment"), 2);
    EXPECT_EQ(desk.count("SELECT count(*) FROM raw_message"), 2) << "kept all the same, sealed";
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 0);
    EXPECT_EQ(desk.released(), 0);
}

TEST(Ingest, KeepsTestTrafficApartAndReleasesNoneOfIt) {
    Desk desk;
    desk.open_basis();
    EXPECT_EQ(desk.code({msh("ADT^A04", "1", "2026", "T|2.5"), pid("10")}), "AA");
    EXPECT_EQ(desk.code({msh("SIU^S12", "2", "2026", "D|2.5"), "SCH|P1|F1|||||||||^^^20261201090000", pid("10")}),
              "AA");
    EXPECT_EQ(desk.released(), 0);
    EXPECT_FALSE(desk.number("HOSP|10")) << "a real person of that number is someone else";
    EXPECT_EQ(desk.books().stored, 2);
}

TEST(Ingest, MatchesNobodyBySocialSecurityOrAccountNumber) {
    Desk desk;
    const std::string rest = "||Quillfeather^Jane||||||||||||||ACC1|123-45-6789";
    desk.send({msh("ADT^A28", "1"), "PID|1||10^^^HOSP^MR~123-45-6789^^^USSSA^SS" + rest});
    desk.send({msh("ADT^A28", "2"), "PID|1||11^^^HOSP^MR~123-45-6789^^^USSSA^SS" + rest});
    ASSERT_TRUE(desk.number("HOSP|10") && desk.number("HOSP|11"));
    EXPECT_NE(desk.number("HOSP|10"), desk.number("HOSP|11"));
    EXPECT_TRUE(desk.store->identifiers().found_in("x 123-45-6789 y", {})) << "but the last check knows it";
}

TEST(Ingest, GivesEachSenderItsOwnNumbers) {
    Desk desk;
    desk.send({msh("ADT^A28", "1"), "PID|1||10||Quillfeather^Jane"});
    desk.send(std::vector<std::string>{"MSH|^~\\&|OTHER|FAC|CE|BOX|2026||ADT^A28|1|P|2.5", "PID|1||10||Marrow^Tom"});
    EXPECT_TRUE(desk.number("APP|FAC|10"));
    EXPECT_NE(desk.number("APP|FAC|10"), desk.number("OTHER|FAC|10"));
}

TEST(Ingest, ReadsNamesInAnyCharacterSet) {
    Desk desk;
    desk.send({msh("ADT^A28", "1", "2026", "P|2.5||||||8859/1"), "PID|1||10^^^HOSP^MR||M\xFCller^J\xF6rg"});
    desk.send({msh("ADT^A28", "2", "2026", "P|2.5||||||UNICODE UTF-8"), "PID|1||11^^^HOSP^MR||M\xC3\xBCller^Max"});
    desk.send({msh("ADT^A28", "3", "2026", "P|2.5||||||WHAT IS THIS"), "PID|1||12^^^HOSP^MR||M\xFCller^Eva"});
    for (const char* name : {"M\xC3\xBCller J\xC3\xB6rg", "M\xC3\xBCller Max", "M\xC3\xBCller Eva"})
        EXPECT_EQ(desk.find("name", name).size(), 1U) << name;
}

TEST(Ingest, AnswersAMessageWhoseSeparatorIsAnotherCharacterInItsSet) {
    Desk desk;
    const std::string answer = desk.send("MSH~^|!&~A~B~C~D~2026~~ADT^A04~1~P~2.5~~~~~~ISO IR14\rPID~\xB1\r");
    EXPECT_EQ(answer.substr(0, 9), "MSH~^|!&~");
    EXPECT_THAT(answer, HasSubstr("MSA~AE~1"));
    expect_balanced(desk.books());
}

TEST(Ingest, AnswersAeAndCountsWhenTheStoresQueueIsFull) {
    std::promise<void> entered, go_on, drained;
    auto may_go_on = go_on.get_future();
    Desk desk{{}, {.queue_jobs_max = 1}};
    ASSERT_TRUE(desk.store->post(
        [&](records::Transaction&) -> Result<void> {
            entered.set_value();
            may_go_on.wait();
            return {};
        },
        {}));
    entered.get_future().wait(); // the writer is busy; one more fits
    ASSERT_TRUE(desk.store->post([](records::Transaction&) { return Result<void>{}; },
                                 [&](const Result<void>&) { drained.set_value(); }));
    const std::string message = joined({msh("ADT^A04", "1"), pid("10")});
    EXPECT_EQ(desk.code(message), "AE");
    EXPECT_EQ(desk.code(joined({msh("ORU^R01", "2")})), "AR");
    go_on.set_value();
    drained.get_future().wait();
    EXPECT_EQ(desk.code(message), "AA") << "the sender may send it again";
    const auto books = desk.books();
    EXPECT_EQ(books.received, 3);
    EXPECT_EQ(books.refused, 2);
    EXPECT_EQ(books.stored, 1);
    expect_balanced(books);
}

void plant(Desk& desk, Literal trigger) {
    const auto planted = desk.store->write([&](records::Transaction& txn) -> Result<void> {
        auto one = txn.prepare(trigger);
        CLINIC_TRY(one);
        return one->run();
    });
    ASSERT_TRUE(planted) << planted.error().what.c_str();
}

// What the store refuses, for whatever reason, is not acknowledged and leaves nothing half done.
TEST(Ingest, AnswersAeAndKeepsWhatTheStoreDidNotTake) {
    Desk desk;
    const std::string message = joined({msh("ADT^A04", "1"), pid("10")});
    plant(desk, "CREATE TEMP TRIGGER refuse BEFORE INSERT ON main.patient BEGIN SELECT RAISE(ABORT, 'no'); END");
    EXPECT_EQ(desk.code(message), "AE");
    EXPECT_EQ(desk.quarantine().size(), 1U);
    EXPECT_FALSE(desk.number("HOSP|10"));
    plant(desk, "DROP TRIGGER temp.refuse");
    EXPECT_EQ(desk.code(message), "AA") << "the sender sends it again";
    EXPECT_TRUE(desk.number("HOSP|10"));
    EXPECT_EQ(desk.code(message), "AA");
    const auto books = desk.books();
    EXPECT_EQ(books.quarantined, 1);
    EXPECT_EQ(books.stored, 1);
    EXPECT_EQ(books.duplicate, 1);
    expect_balanced(books);
}

// Refused while nothing can be counted: it is counted as soon as something can.
TEST(Ingest, CountsLaterWhatCouldNotEvenBeCounted) {
    Desk desk;
    EXPECT_EQ(desk.code({msh("ADT^A04", "1"), pid("10")}), "AA");
    plant(desk, "CREATE TEMP TRIGGER refuse BEFORE UPDATE ON main.feed_counter BEGIN SELECT RAISE(ABORT, 'no'); END");
    EXPECT_EQ(desk.code({msh("ADT^A04", "2"), pid("11")}), "AE");
    EXPECT_EQ(desk.code({msh("ADT^A04", "3"), "PID|1||12^^^HOSP^MR||Doe^J||19851331"}), "AE");
    EXPECT_EQ(desk.code({msh("ORU^R01", "4")}), "AR");
    EXPECT_EQ(desk.books().received, 1);
    plant(desk, "DROP TRIGGER temp.refuse");
    EXPECT_EQ(desk.code({msh("ADT^A04", "5"), pid("13")}), "AA");
    const auto books = desk.books();
    EXPECT_EQ(books.received, 5);
    EXPECT_EQ(books.stored, 2);
    EXPECT_EQ(books.refused, 3);
    expect_balanced(books);
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 2);
    EXPECT_THAT(desk.quarantine(), IsEmpty());
}

TEST(Ingest, StoresFromManyThreadsAtOnce) {
    Desk desk;
    constexpr int threads = 8, each = 50;
    std::vector<std::jthread> senders;
    senders.reserve(threads);
    for (int sender = 0; sender < threads; ++sender)
        senders.emplace_back([&desk, sender] {
            for (int number = 0; number < each; ++number) {
                const std::string id = std::to_string(sender) + "-" + std::to_string(number);
                EXPECT_EQ(desk.code({msh("ADT^A04", id), pid(id)}), "AA");
            }
        });
    senders.clear();
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), threads * each);
    EXPECT_EQ(desk.books().stored, threads * each);
}

TEST(Ingest, AnAppointmentThatWasFiledOnTheWrongPersonIsCancelledForThem) {
    Desk desk;
    desk.open_basis();
    desk.send({msh("ADT^A28", "1"), pid("10")});
    desk.send({msh("ADT^A28", "2"), pid("11")});
    desk.send({msh("SIU^S12", "3", "20261121100000"), "SCH|P1|F1|||||||||^^^20261201090000", pid("10")});
    EXPECT_THAT(desk.said_of_appointment("HOSP|10"), HasSubstr("booked"));
    desk.clock.advance(std::chrono::seconds{1});
    desk.send({msh("SIU^S14", "4", "20261121110000"), "SCH|P1|F1|||||||||^^^20261201090000", pid("11")});
    EXPECT_THAT(desk.said_of_appointment("HOSP|10"), HasSubstr("cancelled"));
    EXPECT_THAT(desk.said_of_appointment("HOSP|11"), Not(HasSubstr("cancelled")));
}

} // namespace
} // namespace clinic::intake
