#include "daemon/intake/csv_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/intake/csv.h"
#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using records::AppointmentStatus;
using testing::Desk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::msh;
using ::testing::SizeIs;

std::vector<std::vector<std::string>> rows(std::string_view text) {
    std::vector<std::vector<std::string>> out;
    CsvReader reader{text};
    while (auto record = reader.next()) out.push_back(record->broken ? std::vector<std::string>{"#"} : record->fields);
    return out;
}

TEST(Csv, ReadsFieldsAndLineEndsOfAnyKind) {
    EXPECT_THAT(rows("a,b\r\n1,2\n3,4\r5,6"), ElementsAre(ElementsAre("a", "b"), ElementsAre("1", "2"),
                                                          ElementsAre("3", "4"), ElementsAre("5", "6")));
    EXPECT_THAT(rows("\xEF\xBB\xBF"
                     "a,,\r\n\r\n,\n"),
                ElementsAre(ElementsAre("a", "", ""), ElementsAre("", "")));
    EXPECT_THAT(rows("\"a,\"\"b\"\"\",\"two\r\nlines\"\n\"\",x"),
                ElementsAre(ElementsAre("a,\"b\"", "two\r\nlines"), ElementsAre("", "x")));
    EXPECT_THAT(rows("M\xFCller\n"), ElementsAre(ElementsAre("M\xC3\xBCller")));
    EXPECT_THAT(rows(""), IsEmpty());
}

TEST(Csv, GoesOnAtTheNextLineAfterABrokenOne) {
    EXPECT_THAT(rows("a\n\"open,\nb\n"), ElementsAre(ElementsAre("a"), ElementsAre("#"), ElementsAre("b")));
    EXPECT_THAT(rows("\"a\"x\nb"), ElementsAre(ElementsAre("#"), ElementsAre("b")));
    EXPECT_THAT(rows("a\"b\nc"), ElementsAre(ElementsAre("#"), ElementsAre("c")));
    EXPECT_THAT(rows(std::string{"a\0b\nc", 5}), ElementsAre(ElementsAre("#"), ElementsAre("c")));
    EXPECT_THAT(rows(std::string(csv_record_bytes_max + 1, 'x') + "\nc"),
                ElementsAre(ElementsAre("#"), ElementsAre("c")));
    EXPECT_THAT(rows(std::string(csv_columns_max, ',') + "\nc"), ElementsAre(ElementsAre("#"), ElementsAre("c")));
}

TEST(Csv, CountsLinesAsAnEditorDoes) {
    CsvReader reader{"head\r\n\r\n\"two\r\nlines\"\n\"open\nlast"};
    std::vector<int> lines;
    while (auto record = reader.next()) lines.push_back(record->line);
    EXPECT_THAT(lines, ElementsAre(1, 3, 5, 6));
}

ImportReport import(Desk& desk, ImportKind kind, std::string_view text) {
    const auto report = import_csv(*desk.store, desk.releaser, kind, text, 1'000);
    EXPECT_TRUE(report) << report.error().what.c_str();
    const auto books = desk.books(feed_csv);
    EXPECT_TRUE(books.balanced());
    return report ? *report : ImportReport{};
}

std::vector<std::string> faults(const ImportReport& report) {
    std::vector<std::string> out;
    for (const auto& fault : report.faults) out.push_back(std::to_string(fault.line) + ' ' + fault.column.c_str());
    return out;
}

constexpr char patients_csv[] = "record_number,given_name,family_name,birth_date,phone,email,active\n"
                                "100,Jane,Quillfeather,1985-06-15,617 555 0142; 617 555 0143,jane@example.org,yes\n"
                                "101,\"Tom, Jr.\",Marrow,19790412,,,no\n";

TEST(CsvImport, TakesPatientsInAnyOrderOfColumns) {
    Desk desk;
    const auto report = import(desk, ImportKind::patients, patients_csv);
    EXPECT_EQ(report.stored, 2);
    EXPECT_TRUE(report.is_clean());
    EXPECT_EQ(desk.find("name", "quillfeather jane"), desk.find("number_any", "100"));
    EXPECT_EQ(desk.find("phone", "6175550143").size(), 1U);
    EXPECT_EQ(desk.find("birth_date", "19850615").size(), 1U);
    EXPECT_EQ(desk.facts("csv|101").status, records::PatientStatus::inactive);
    EXPECT_EQ(desk.count("SELECT count(*) FROM audit_link WHERE detail = 'csv patients' AND actor_id = 1000"), 2);
}

TEST(CsvImport, ChangesNothingWhenTheFileComesAgain) {
    Desk desk;
    import(desk, ImportKind::patients, patients_csv);
    desk.clock.advance(std::chrono::hours{1});
    const auto again = import(desk, ImportKind::patients, patients_csv);
    EXPECT_EQ(again.duplicate, 2);
    EXPECT_EQ(again.stored, 0);
    const auto changed = import(desk, ImportKind::patients, "record_number,given_name\n100,Janet\n");
    EXPECT_EQ(changed.stored, 1);
    EXPECT_EQ(desk.find("name", "quillfeather janet").size(), 1U) << "what the file leaves out is kept";
    const auto back = import(desk, ImportKind::patients, patients_csv);
    EXPECT_EQ(back.stored, 1) << "the newest line of a person counts";
    EXPECT_EQ(back.duplicate, 1);
}

TEST(CsvImport, KeepsBadLinesApartAndUndoesNoOther) {
    Desk desk;
    const auto report = import(desk, ImportKind::patients,
                               "record_number,birth_date,active\n"
                               "1,1980-01-01,yes\n"
                               ",1980-01-01,yes\n"
                               "2,1980-13-01,yes\n"
                               "3,1980-01-01,perhaps\n"
                               "4,1980-01-01\n"
                               "\"5,1980-01-01,yes\n"
                               "6,1980-01-01,yes\n");
    EXPECT_EQ(report.received, 7);
    EXPECT_EQ(report.stored, 2);
    EXPECT_EQ(report.quarantined, 5);
    EXPECT_THAT(faults(report), ElementsAre("3 record_number", "4 birth_date", "5 active", "6 ", "7 "));
    EXPECT_THAT(desk.quarantine(), SizeIs(5));
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 2);
}

TEST(CsvImport, RefusesAHeaderItDoesNotKnow) {
    Desk desk;
    for (const char* text : {"", "record_number,surname\n1,x\n", "record_number,record_number\n1,1\n",
                             "family_name\nx\n", "\"record_number\n1\n"}) {
        const auto report = import_csv(*desk.store, desk.releaser, ImportKind::patients, text, 0);
        ASSERT_FALSE(report) << text;
        EXPECT_EQ(report.error().code, Errc::malformed) << text;
    }
    EXPECT_EQ(desk.books(feed_csv).received, 0);
}

TEST(CsvImport, FindsPeopleThatHl7Brought) {
    Desk desk;
    desk.send({msh("ADT^A28", "1"), "PID|1||100^^^HOSP^MR||Quillfeather^Jane||19850615"});
    import(desk, ImportKind::patients, patients_csv);
    EXPECT_EQ(desk.number("HOSP|100"), desk.number("csv|100"));
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), 2);
}

TEST(CsvImport, IsFoundByHl7WhereNumberAndPersonAgree) {
    Desk desk;
    import(desk, ImportKind::patients, patients_csv);
    desk.send({msh("ADT^A28", "1"), "PID|1||100^^^HOSP^MR||Quillfeather^Jane||19850615"});
    EXPECT_EQ(desk.number("HOSP|100"), desk.number("csv|100"));
    desk.send({msh("ADT^A28", "2"), "PID|1||101^^^LAB^MR||Somebody^Else||19500101"});
    ASSERT_TRUE(desk.number("LAB|101"));
    EXPECT_NE(desk.number("LAB|101"), desk.number("csv|101")) << "the same number, another person";
}

TEST(CsvImport, AsksForTheSenderWhereANumberIsAmbiguous) {
    Desk desk;
    desk.send({msh("ADT^A28", "1"), "PID|1||7^^^HOSP^MR||Quillfeather^Jane"});
    desk.send({msh("ADT^A28", "2"), "PID|1||7^^^LAB^MR||Marrow^Tom"});
    const auto report =
        import(desk, ImportKind::consents, "record_number,scope,state\n7,crm_sync,granted\n8,crm_sync,granted\n");
    EXPECT_EQ(report.quarantined, 2);
    EXPECT_THAT(faults(report), ElementsAre("2 record_number", "3 record_number"));
    const auto named = import(desk, ImportKind::consents, "sender,record_number,scope,state\nLAB,7,crm_sync,granted\n");
    EXPECT_EQ(named.stored, 1);
    EXPECT_THAT(desk.facts("LAB|7").consents, SizeIs(1));
    EXPECT_THAT(desk.facts("HOSP|7").consents, IsEmpty());
}

TEST(CsvImport, TakesAppointments) {
    Desk desk;
    desk.open_basis();
    import(desk, ImportKind::patients, patients_csv);
    const auto report = import(desk, ImportKind::appointments,
                               "appointment_id,record_number,start,end,status\n"
                               "A1,100,2026-12-01T09:00,2026-12-01T09:30,confirmed\n"
                               "A2,100,202612020900,,\n"
                               "A3,,2026-12-03T09:00+01:00,,\n"
                               "A4,999,2026-12-03T09:00,,\n"
                               "A5,100,2026-12-03T09:00,2026-12-03T08:00,\n"
                               "A6,100,soon,,\n"
                               "A7,100,,,perhaps\n");
    EXPECT_EQ(report.stored, 3);
    EXPECT_THAT(faults(report), ElementsAre("5 record_number", "6 end", "7 start", "8 status"));
    const auto facts = desk.facts("csv|100");
    ASSERT_EQ(facts.appointments.size(), 2U);
    EXPECT_EQ(facts.appointments[0].status, AppointmentStatus::confirmed);
    EXPECT_EQ(base::rfc3339(*facts.appointments[0].start), "2026-12-01T09:00:00Z");
    EXPECT_GE(desk.released(), 2);
    import(desk, ImportKind::appointments, "appointment_id,status\nA1,no_show\n");
    EXPECT_EQ(desk.facts("csv|100").appointments.size(), 2U) << "the same appointment; whose it is stays";
}

TEST(CsvImport, MovesTheEndOfAnAppointmentWithItsStart) {
    Desk desk;
    import(desk, ImportKind::patients, patients_csv);
    const auto end_after = [&](const std::string& times) {
        import(desk, ImportKind::appointments, "appointment_id,record_number,start,end\nA1,100," + times + '\n');
        const auto facts = desk.facts("csv|100");
        return facts.appointments.at(0).end ? base::rfc3339(*facts.appointments[0].end) : "none";
    };
    EXPECT_EQ(end_after("2026-12-01T09:00,2026-12-01T09:45"), "2026-12-01T09:45:00Z");
    EXPECT_EQ(end_after("2026-12-03T14:00,"), "2026-12-03T14:45:00Z");
    EXPECT_EQ(end_after(",2026-12-03T13:00"), "none") << "before the start that stands there";
}

// Somebody else's appointment would be told to GHL as theirs.
TEST(CsvImport, TakesNoNumberOfAnotherSender) {
    Desk desk;
    desk.send({msh("ADT^A28", "1"), "PID|1||7^^^HOSP^MR||Quillfeather^Jane"});
    const auto report = import(desk, ImportKind::appointments,
                               "sender,appointment_id,record_number,start\n"
                               "LAB,A1,7,2026-12-01T09:00\n"
                               "HOSP,A2,7,2026-12-02T09:00\n");
    EXPECT_THAT(faults(report), ElementsAre("2 record_number"));
    EXPECT_STREQ(report.faults.front().remedy.c_str(), "import patients first");
    EXPECT_THAT(desk.facts("HOSP|7").appointments, SizeIs(1));
}

TEST(CsvImport, TakesConsentsAndTheDayOfTheirEnd) {
    Desk desk;
    import(desk, ImportKind::patients, patients_csv);
    const auto report = import(desk, ImportKind::consents,
                               "record_number,scope,state,given_on,expires_on\n"
                               "100,crm_sync,granted,2026-01-05,2026-12-31\n"
                               "100,marketing,Revoked,2026-01-05,\n"
                               "100,everything,granted,,\n"
                               "100,crm_sync,maybe,,\n"
                               "100,crm_sync,granted,2026-01-05,2025-12-31\n"
                               "100,crm_sync,granted,2031-01-05,\n");
    EXPECT_EQ(report.stored, 2);
    EXPECT_THAT(faults(report), ElementsAre("4 scope", "5 state", "6 expires_on", "7 "));
    const auto consents = desk.facts("csv|100").consents;
    ASSERT_EQ(consents.size(), 2U);
    EXPECT_EQ(base::rfc3339(*consents[0].expires_at), "2027-01-01T00:00:00Z") << "the last day still counts";
    EXPECT_EQ(consents[1].state, records::ConsentState::revoked);
}

// The clock was ahead at the first import, and has been set right: what is imported later was said later.
TEST(CsvImport, TheLastLineCountsWhateverTheClockSaidBefore) {
    Desk desk;
    desk.clock.advance(std::chrono::hours{2});
    import(desk, ImportKind::patients, patients_csv);
    import(desk, ImportKind::appointments, "appointment_id,record_number,start\nA1,100,2026-12-01T09:00\n");
    desk.clock.set(desk.clock.now() - std::chrono::hours{2});
    for (const char* name : {"Janet", "Joan"}) {
        const auto line = std::string{"record_number,given_name\n100,"} + name + '\n';
        EXPECT_EQ(import(desk, ImportKind::patients, line).stored, 1);
        EXPECT_EQ(desk.find("name", std::string{"quillfeather "} + name).size(), 1U);
    }
    import(desk, ImportKind::appointments, "appointment_id,status\nA1,cancelled\n");
    EXPECT_EQ(desk.facts("csv|100").appointments.at(0).status, AppointmentStatus::cancelled);
}

// The day on which the clocks go back has 25 hours, and the one on which they go forward 23.
TEST(CsvImport, AConsentHoldsToTheEndOfItsLastDayWhenTheClocksChange) {
    Desk desk;
    setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
    tzset();
    import(desk, ImportKind::patients, patients_csv);
    const auto end_of = [&desk](const std::string& number, const std::string& day) {
        const std::string line = number + ",crm_sync,granted,2026-01-05," + day + '\n';
        import(desk, ImportKind::consents, "record_number,scope,state,given_on,expires_on\n" + line);
        return base::rfc3339(*desk.facts("csv|" + number).consents.at(0).expires_at);
    };
    EXPECT_EQ(end_of("100", "2027-11-07"), "2027-11-08T05:00:00Z");
    EXPECT_EQ(end_of("101", "2027-03-14"), "2027-03-15T04:00:00Z");
    setenv("TZ", "UTC", 1);
    tzset();
}

TEST(CsvImport, WritesItsReportAsJson) {
    Desk desk;
    const auto report = import(desk, ImportKind::patients, "record_number\n\"\"\n1\n");
    EXPECT_EQ(to_json(report), R"({"duplicate":0,"faults":[{"column":"record_number","line":2,)"
                               R"("remedy":"every line needs one","what":"empty"}],)"
                               R"("quarantined":1,"received":2,"refused":0,"stored":1})");
}

TEST(CsvImport, TakesAThousandLinesWhileTheQueueIsSmall) {
    Desk desk{{}, {.queue_jobs_max = 8}};
    std::string text = "record_number,family_name\n";
    for (int number = 0; number < 1'000; ++number) text += std::to_string(number) + ",Doe\n";
    EXPECT_EQ(import(desk, ImportKind::patients, text).stored, 1'000);
}

TEST(CsvImport, ReportsWhatTheQuarantineHasNoRoomForWhenTheBooksHaveIt) {
    Desk desk;
    const auto filled = desk.store->write([](records::Transaction& txn) -> Result<void> {
        auto fill = txn.prepare("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
                                "INSERT INTO quarantine (feed, reason, line, segment, field, offset, received_at, "
                                "wrapped_key, sealed) SELECT 'mllp', 'x', 0, 0, 0, 0, ?2, x'', x'' FROM n");
        if (!fill) return fill.error();
        return fill->bind(records::quarantine_items_max, txn.now()).run();
    });
    ASSERT_TRUE(filled);
    std::string lines = "record_number,birth_date\n";
    for (int i = 0; i < 200; ++i) lines += "N" + std::to_string(i) + ",no date\n";
    const auto report = import(desk, ImportKind::patients, lines);
    EXPECT_EQ(report.refused, 200);
    EXPECT_EQ(desk.books(feed_csv).refused, 200);
}

TEST(CsvImport, AnAppointmentThatWasFiledOnTheWrongPersonIsCancelledForThem) {
    Desk desk;
    desk.open_basis();
    import(desk, ImportKind::patients, "record_number\n100\n101\n");
    const std::string head = "appointment_id,record_number,start,status\n";
    import(desk, ImportKind::appointments, head + "A1,100,2026-12-01T09:00,booked\n");
    EXPECT_THAT(desk.said_of_appointment("csv|100"), HasSubstr("booked"));
    desk.clock.advance(std::chrono::seconds{1});
    import(desk, ImportKind::appointments, head + "A1,101,2026-12-01T09:00,booked\n");
    EXPECT_THAT(desk.said_of_appointment("csv|100"), HasSubstr("cancelled"));
    EXPECT_THAT(desk.said_of_appointment("csv|101"), HasSubstr("booked"));
}

TEST(CsvImport, NamesInTheChainWhoseAppointmentItWasAndIs) {
    Desk desk;
    import(desk, ImportKind::patients, "record_number\n100\n101\n");
    const auto subjects = [&desk](const char* csv) {
        import(desk, ImportKind::appointments, csv);
        return desk.count("SELECT count(DISTINCT subject) FROM audit_subject JOIN audit_link ON number = link"
                          " WHERE refers = (SELECT max(number) FROM audit_link WHERE detail = 'csv appointments')");
    };
    EXPECT_EQ(subjects("appointment_id,start\nA1,2026-12-01T09:00\n"), 0) << "nobody's";
    EXPECT_EQ(subjects("appointment_id,record_number\nA1,100\n"), 1);
    EXPECT_EQ(subjects("appointment_id,record_number\nA1,101\n"), 2) << "whom it leaves as well";
    EXPECT_EQ(subjects("appointment_id,status\nA1,confirmed\n"), 1) << "whose it is, unnamed";
}

} // namespace
} // namespace clinic::intake
