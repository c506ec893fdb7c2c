#include "daemon/intake/hl7_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using records::AppointmentStatus;
using testing::joined;
using testing::msh;

constexpr Timestamp received{1'795'255'200'000'000}; // 2026-11-21T10:00:00Z

std::variant<Order, Rejection> read(const std::vector<std::string>& lines, const SenderRules& rules = {}) {
    const auto message = parse(joined(lines));
    EXPECT_TRUE(message) << message.error().what.c_str();
    return read_order(*message, rules, received);
}

Order order(const std::vector<std::string>& lines, const SenderRules& rules = {}) {
    auto reading = read(lines, rules);
    auto* found = std::get_if<Order>(&reading);
    EXPECT_NE(found, nullptr) << std::get<Rejection>(reading).complaint.text.c_str();
    return found != nullptr ? std::move(*found) : Order{};
}

// "AE 102 PID^1^7"
std::string rejection(const std::vector<std::string>& lines) {
    const auto reading = read(lines);
    const auto* found = std::get_if<Rejection>(&reading);
    if (found == nullptr) return "accepted";
    const Complaint& said = found->complaint;
    return std::string{found->outcome == Outcome::refused ? "AR " : "AE "} +
           std::to_string(static_cast<int>(said.code)) + ' ' + said.segment + '^' + std::to_string(said.sequence) +
           '^' + std::to_string(said.field);
}

const std::string pid_jane = "PID|1||10^^^HOSP^MR||Doe^Jane||19850615|F";
const std::string sch = "SCH|P1|F1";

TEST(Hl7Event, TakesTheListedEventsAndNoOthers) {
    const std::set<std::string> adt = {"A01", "A03", "A04", "A05", "A08", "A11", "A13", "A18",
                                       "A23", "A28", "A29", "A31", "A34", "A38", "A40", "A47"};
    const std::set<std::string> siu = {"S12", "S13", "S14", "S15", "S16", "S17",
                                       "S18", "S19", "S22", "S23", "S24", "S26"};
    for (int number = 0; number < 100; ++number) {
        const std::string digits = std::to_string(100 + number).substr(1);
        const auto adt_answer = rejection({msh("ADT^A" + digits, "1"), pid_jane, "MRG|11^^^HOSP^MR"});
        EXPECT_EQ(adt_answer, adt.contains("A" + digits) ? "accepted" : "AR 201 MSH^1^9") << digits;
        const auto siu_answer = rejection({msh("SIU^S" + digits, "1"), sch, pid_jane});
        EXPECT_EQ(siu_answer, siu.contains("S" + digits) ? "accepted" : "AR 201 MSH^1^9") << digits;
    }
    for (const char* type : {"ORU^R01", "ORM^O01", "ACK", "", "DFT^P03", "adx^A01"})
        EXPECT_EQ(rejection({msh(type, "1"), pid_jane}), "AR 200 MSH^1^9") << type;
}

TEST(Hl7Event, FindsTheEventWhereSendersPutIt) {
    EXPECT_STREQ(order({msh("ADT", "1"), "EVN|A04|20261121", pid_jane}).event.c_str(), "ADT^A04");
    EXPECT_STREQ(order({msh("ADT^^ADT_A08", "1"), pid_jane}).event.c_str(), "ADT^A08");
    EXPECT_STREQ(order({msh("adt^a04", "1"), pid_jane}).event.c_str(), "ADT^A04");
    EXPECT_STREQ(order({msh("ADT^A05", "1"), "EVN|A01", pid_jane}).event.c_str(), "ADT^A05")
        << "MSH-9 goes before EVN-1";
}

TEST(Hl7Event, RefusesVersionsAndProcessingIdsItDoesNotKnow) {
    for (const char* good : {"P|2.1", "P|2.3.1", "P|2.8", "P", "P|", "T|2.5", "D|2.5", "p|2.5", "|2.5", "P^T|2.5^USA"})
        EXPECT_EQ(rejection({msh("ADT^A04", "1", "2026", good), pid_jane}), "accepted") << good;
    EXPECT_EQ(rejection({msh("ADT^A04", "1", "2026", "P|3.0"), pid_jane}), "AR 203 MSH^1^12");
    EXPECT_EQ(rejection({msh("ADT^A04", "1", "2026", "P|1.0"), pid_jane}), "AR 203 MSH^1^12");
    EXPECT_EQ(rejection({msh("ADT^A04", "1", "2026", "X|2.5"), pid_jane}), "AR 202 MSH^1^11");
}

TEST(Hl7Event, SaysWhatIsMissingAndWhere) {
    EXPECT_EQ(rejection({msh("ADT^A04", ""), pid_jane}), "AE 101 MSH^1^10");
    EXPECT_EQ(rejection({msh("ORU^R01", ""), pid_jane}), "AE 101 MSH^1^10");
    EXPECT_EQ(rejection({msh("ADT^A04", "1")}), "AE 100 PID^1^0");
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), "PID|1||||Doe^Jane"}), "AE 101 PID^1^3");
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), "PID|1||123-45-6789^^^USSSA^SS||Doe^Jane"}), "AE 101 PID^1^3");
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), pid_jane, "PID|2||11^^^HOSP^MR"}), "AE 102 PID^2^3");
    EXPECT_EQ(rejection({msh("ADT^A40", "1"), pid_jane}), "AE 100 MRG^1^0");
    EXPECT_EQ(rejection({msh("ADT^A40", "1"), "MRG|11^^^HOSP^MR"}), "AE 100 PID^1^0");
    EXPECT_EQ(rejection({msh("ADT^A40", "1"), pid_jane, "MRG|"}), "AE 101 MRG^1^1");
    EXPECT_EQ(rejection({msh("SIU^S12", "1"), pid_jane}), "AE 100 SCH^1^0");
    EXPECT_EQ(rejection({msh("SIU^S12", "1"), "SCH||", pid_jane}), "AE 101 SCH^1^2");
}

TEST(Hl7Event, SaysWhichValueIsTooLong) {
    const std::string long_name(4'097, 'a');
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||" + long_name}), "AE 102 PID^1^5");
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||" + long_name.substr(1)}), "accepted");
}

TEST(Hl7Event, SaysWhichDateIsNone) {
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||Doe^J||19851331"}), "AE 102 PID^1^7");
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||Doe^J||00000000"}), "accepted") << "unknown";
    EXPECT_EQ(rejection({msh("ADT^A04", "1"), pid_jane, "PV1|1|O" + std::string(42, '|') + "yesterday"}),
              "AE 102 PV1^1^44");
    EXPECT_EQ(rejection({msh("SIU^S12", "1"), sch, "RGS|1", "AIS|1||X|", "AIS|2||X|2026-99-01"}), "AE 102 AIS^2^4");
    EXPECT_EQ(rejection({msh("SIU^S12", "1"), "SCH|1|2|||||||||^^^20261350"}), "AE 102 SCH^1^11");
    EXPECT_EQ(rejection({msh("SIU^S12", "1"), sch, "TQ1|||||||noon"}), "AE 102 TQ1^1^7");
}

TEST(Hl7Event, OrdersIdentifiersAndNamesTheirSpaces) {
    const auto read =
        order({msh("ADT^A04", "1"),
               "PID|1|OLD^^^REG|9^^^LAB^LR~8^^^HOSP&1.2&ISO^PI~7^^^&1.3&ISO^MRN~6~\"\"|ALT||Doe^J|||||||||||"
               "|ACC9^^^HOSP^AN|123-45-6789"});
    std::vector<std::string> said;
    for (const auto& one : read.patient->identifiers) said.push_back(one.name_space + '/' + one.type);
    EXPECT_THAT(said, ::testing::ElementsAre("1.3/MR", "HOSP/PI", "LAB/LR", "APP|FAC/", "REG/", "APP|FAC/",
                                             "APP|FAC/SS", "APP|FAC/AN"));
}

TEST(Hl7Event, KeepsAbsentClearedAndGivenApart) {
    const auto read =
        order({msh("ADT^A08", "1"), "PID|1||10^^^HOSP^MR||Doe^\"\"||\"\"||||\"\"||\"\"||EN|||||||||||||||Y"});
    const auto& change = *read.patient;
    EXPECT_TRUE(change.family.is_given());
    EXPECT_TRUE(change.given.is_cleared());
    EXPECT_TRUE(change.middle.is_absent());
    EXPECT_TRUE(change.birth_date.is_cleared());
    EXPECT_TRUE(change.sex.is_absent());
    EXPECT_TRUE(change.address.is_cleared());
    EXPECT_TRUE(change.phones.is_cleared());
    EXPECT_TRUE(change.emails.is_cleared());
    EXPECT_TRUE(change.language.is_given());
    EXPECT_TRUE(change.deceased.is_given() && change.deceased.value());
    const auto silent = order({msh("ADT^A08", "1"), "PID|1||10^^^HOSP^MR"});
    EXPECT_TRUE(silent.patient->family.is_absent());
    EXPECT_TRUE(silent.patient->phones.is_absent());
    EXPECT_TRUE(silent.patient->deceased.is_absent());
}

TEST(Hl7Event, FindsPhonesAndAddressesForMail) {
    const auto phones = [](const std::string& field) {
        const auto read = order({msh("ADT^A08", "1"), "PID|1||10^^^HOSP^MR||Doe^J||||||||" + field});
        return std::pair{read.patient->phones.value().size(), read.patient->emails.value().size()};
    };
    EXPECT_EQ(phones("(617)555-0101"), (std::pair{1UL, 0UL}));
    EXPECT_EQ(phones("^PRN^PH^^1^617^5550101~^NET^Internet^a@b.org"), (std::pair{1UL, 1UL}));
    EXPECT_EQ(phones("a@b.org^NET^Internet~^^^^^^^^^^^6175550101"), (std::pair{1UL, 1UL}));
    EXPECT_EQ(phones("617 555 0101^PRN^CP^c@d.org|617 555 0102"), (std::pair{2UL, 1UL}));
    EXPECT_EQ(phones("^NET"), (std::pair{0UL, 0UL}));
}

TEST(Hl7Event, LetsTheTriggerEventWinOverTheStatusWord) {
    struct Row {
        const char *event, *word;
        AppointmentStatus status;
        bool keep = false;
    };
    using enum AppointmentStatus;
    for (const Row& row : {
             Row{"S12", "", booked},
             Row{"S12", "Pending", requested},
             Row{"S12", "CONFIRMED^Confirmed^L", confirmed},
             Row{"S12", "Cancelled", booked},
             Row{"S12", "Blocked", booked},
             Row{"S12", "Something", booked},
             Row{"S12", "Complete", completed},
             Row{"S13", "Booked", rescheduled},
             Row{"S14", "", booked, true},
             Row{"S14", "Something", booked, true},
             Row{"S14", "Checked-In", arrived},
             Row{"S14", "No Show", no_show},
             Row{"S14", "Cancelled", cancelled},
             Row{"S15", "Booked", cancelled},
             Row{"S16", "Dc", cancelled},
             Row{"S17", "Deleted", entered_in_error},
             Row{"S18", "Started", arrived},
             Row{"S19", "", booked, true},
             Row{"S22", "", booked, true},
             Row{"S23", "Blocked", booked},
             Row{"S24", "", cancelled},
             Row{"S26", "Cancelled", no_show},
         }) {
        const auto read =
            order({msh(std::string{"SIU^"} + row.event, "1"), sch + std::string(23, '|') + row.word, pid_jane});
        EXPECT_EQ(read.appointment->status, row.status) << row.event << ' ' << row.word;
        EXPECT_EQ(read.appointment->keep_status, row.keep) << row.event << ' ' << row.word;
        const bool blocks = std::string_view{row.event} == "S23" || std::string_view{row.event} == "S24";
        EXPECT_EQ(read.patient.has_value(), !blocks) << row.event;
    }
}

TEST(Hl7Event, KnowsASitesOwnWords) {
    const SenderRules site{
        .status_words = {{"roomed", AppointmentStatus::arrived}, {"booked", AppointmentStatus::requested}}};
    EXPECT_EQ(order({msh("SIU^S14", "1"), sch + std::string(23, '|') + "Roomed"}, site).appointment->status,
              AppointmentStatus::arrived);
    EXPECT_EQ(order({msh("SIU^S12", "1"), sch + std::string(23, '|') + "Booked"}, site).appointment->status,
              AppointmentStatus::requested);
}

std::string utc(const std::optional<Timestamp>& at) {
    return at ? base::rfc3339(*at) : "none";
}

TEST(Hl7Event, BelievesTimesInTheirOrderOfTruth) {
    const std::string timed = "SCH|P1|F1|||||||||^^^20261203100000Z^20261203103000Z";
    const std::string with_ais = "AIS|1||X|20261201100000Z|||45|min";
    const std::string with_tq1 = "TQ1|||||||20261202100000Z|20261202110000Z";
    const std::string with_pv2 = "PV2||||||||20261204100000Z", with_evn = "EVN|S12|||||20261205100000Z";
    const auto times = [](const std::vector<std::string>& lines) {
        const auto read = order(lines);
        return utc(read.appointment->start) + ' ' + utc(read.appointment->end);
    };
    const std::string head = msh("SIU^S12", "1");
    EXPECT_EQ(times({head, with_evn, timed, with_tq1, with_pv2, with_ais}),
              "2026-12-01T10:00:00Z 2026-12-02T11:00:00Z");
    EXPECT_EQ(times({head, timed, with_ais}), "2026-12-01T10:00:00Z 2026-12-03T10:30:00Z");
    EXPECT_EQ(times({head, sch, with_ais}), "2026-12-01T10:00:00Z 2026-12-01T10:45:00Z");
    EXPECT_EQ(times({head, timed, with_tq1, with_pv2}), "2026-12-02T10:00:00Z 2026-12-02T11:00:00Z");
    EXPECT_EQ(times({head, timed, with_pv2}), "2026-12-03T10:00:00Z 2026-12-03T10:30:00Z");
    EXPECT_EQ(times({head, with_evn, sch, with_pv2}), "2026-12-04T10:00:00Z none");
    EXPECT_EQ(times({head, with_evn, "SCH|P1|F1|||||||30|min"}), "2026-12-05T10:00:00Z 2026-12-05T10:30:00Z");
    for (const auto& [length, end] :
         std::vector<std::pair<std::string, std::string>>{{"90|", "2026-12-01T11:30:00Z"},
                                                          {"45|M", "2026-12-01T10:45:00Z"},
                                                          {"2|hr", "2026-12-01T12:00:00Z"},
                                                          {"1|H", "2026-12-01T11:00:00Z"},
                                                          {"1800|s", "2026-12-01T10:30:00Z"},
                                                          {"1|d", "none"},
                                                          {"0|min", "none"},
                                                          {"-5|min", "none"},
                                                          {"half|h", "none"},
                                                          {"100001|min", "none"}})
        EXPECT_EQ(times({head, sch, "AIS|1||X|20261201100000Z|||" + length}), "2026-12-01T10:00:00Z " + end) << length;
    EXPECT_EQ(times({head, sch, "AIL|1||ROOM|||20261206100000Z"}), "2026-12-06T10:00:00Z none");
    EXPECT_EQ(times({head, sch}), "none none");
    EXPECT_EQ(times({head, sch, "AIS|1|D|X|20261201100000Z", "AIS|2|A|X|20261207100000Z"}),
              "2026-12-07T10:00:00Z none");
}

TEST(Hl7Event, StampsByTheEventThenTheMessageThenTheReceipt) {
    const auto said = [](const std::string& evn, std::string_view at) {
        std::vector<std::string> lines = {msh("ADT^A08", "1", at), pid_jane};
        if (!evn.empty()) lines.insert(lines.begin() + 1, evn);
        return utc(order(lines).stamp.said_at);
    };
    EXPECT_EQ(said("EVN|A08|20261120080000Z", "20261120090000Z"), "2026-11-20T08:00:00Z");
    EXPECT_EQ(said("EVN|A08|", "20261120090000Z"), "2026-11-20T09:00:00Z");
    EXPECT_EQ(said("", ""), "2026-11-21T10:00:00Z");
    EXPECT_EQ(said("EVN|A08|rubbish", "rubbish"), "2026-11-21T10:00:00Z");
    EXPECT_EQ(said("EVN|A08|20290101080000Z", ""), "2026-11-21T10:00:00Z") << "not from years ahead";
    EXPECT_EQ(said("EVN|A08|20261120", "20261120090000Z"), "2026-11-20T09:00:00Z") << "a bare day is no order";
    EXPECT_EQ(said("", "20261121"), "2026-11-21T10:00:00Z") << "a day has not ended yet";
    EXPECT_EQ(order({msh("ADT^A08", "1"), pid_jane}).stamp.sender, "APP|FAC");
}

TEST(Hl7Event, TakesVisitsAndTheirCancellation) {
    const std::string pv1 = "PV1|1|O" + std::string(42, '|') + "20261110083000Z";
    EXPECT_EQ(utc(order({msh("ADT^A04", "1"), pid_jane, pv1}).patient->visited_at), "2026-11-10T08:30:00Z");
    EXPECT_EQ(utc(order({msh("ADT^A01", "1"), "EVN|A01|20261109080000Z", pid_jane}).patient->visited_at),
              "2026-11-09T08:00:00Z");
    EXPECT_EQ(utc(order({msh("ADT^A08", "1"), pid_jane, pv1}).patient->visited_at), "none");
    for (const char* event : {"ADT^A11", "ADT^A13", "ADT^A23"})
        EXPECT_TRUE(order({msh(event, "1"), pid_jane, pv1}).patient->visit_cancelled) << event;
    EXPECT_EQ(order({msh("ADT^A29", "1"), pid_jane}).patient->active, false);
    EXPECT_EQ(order({msh("ADT^A28", "1"), pid_jane}).patient->active, true);
    EXPECT_EQ(order({msh("ADT^A04", "1"), pid_jane}).patient->active, std::nullopt);
}

TEST(Hl7Event, PairsEachMergeWithThePersonBeforeIt) {
    const auto read = order({msh("ADT^A40", "1"), pid_jane, "MRG|11^^^HOSP^MR", "PID|2||20^^^HOSP^MR", "PD1|",
                             "MRG|21^^^HOSP^MR||||||Old^Name"});
    ASSERT_EQ(read.merges.size(), 2U);
    EXPECT_TRUE(read.merges[1].prior.family.is_given());
    EXPECT_FALSE(read.patient);
    EXPECT_TRUE(order({msh("ADT^A47", "1"), pid_jane, "MRG|11^^^HOSP^MR"}).identifiers_change);
    EXPECT_TRUE(order({msh("ADT^A47", "1"), pid_jane}).patient.has_value());
}

TEST(Hl7Event, LeavesAnAppointmentToNobodyWhereThereIsNobodyOrSeveral) {
    EXPECT_FALSE(order({msh("SIU^S12", "1"), sch}).patient);
    EXPECT_FALSE(order({msh("SIU^S12", "1"), sch, "PID|1"}).patient);
    EXPECT_FALSE(order({msh("SIU^S12", "1"), sch, pid_jane, "PID|2||11^^^HOSP^MR||Roe^Ann"}).patient);
    EXPECT_TRUE(order({msh("SIU^S12", "1"), sch, pid_jane, pid_jane}).patient);
    EXPECT_EQ(rejection({msh("SIU^S12", "1"), sch, "PID|1||||Doe^Jane"}), "AE 101 PID^1^3");
}

TEST(Hl7Event, ReadsPreadmissionsAsAppointmentsWhereASiteSaysSo) {
    const SenderRules site{.preadmit_is_appointment = true};
    const std::string pv1 = "PV1|1|O" + std::string(17, '|') + "V77" + std::string(25, '|') + "20261201090000Z";
    const auto booked = order({msh("ADT^A05", "1"), pid_jane, pv1}, site);
    ASSERT_TRUE(booked.appointment && booked.patient);
    EXPECT_EQ(utc(booked.appointment->start), "2026-12-01T09:00:00Z");
    EXPECT_EQ(order({msh("ADT^A38", "1"), pid_jane, pv1}, site).appointment->status, AppointmentStatus::cancelled);
    EXPECT_FALSE(order({msh("ADT^A05", "1"), pid_jane, pv1}).appointment);
}

TEST(Hl7Event, ReadsATypeThatIsWrittenAsItsStructure) {
    EXPECT_STREQ(order({msh("ADT_A04", "1"), pid_jane}).event.c_str(), "ADT^A04");
    EXPECT_EQ(rejection({msh("ADT_A24", "1"), pid_jane}), "AR 201 MSH^1^9");
    EXPECT_EQ(rejection({msh("ORU_R01", "1"), pid_jane}), "AR 200 MSH^1^9");
}

TEST(Hl7Event, MarksTestTraffic) {
    EXPECT_TRUE(order({msh("ADT^A04", "1", "2026", "T|2.5"), pid_jane}).test_traffic);
    EXPECT_TRUE(order({msh("ADT^A04", "1", "2026", "D|2.5"), pid_jane}).test_traffic);
    EXPECT_FALSE(order({msh("ADT^A04", "1"), pid_jane}).test_traffic);
}

} // namespace
} // namespace clinic::intake
