#include "daemon/intake/hl7_ack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using testing::field_of;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Timestamp at{1'795'255'200'000'000};

std::string answer_to(const std::string& message, Outcome outcome,
                      const std::optional<Complaint>& complaint = std::nullopt) {
    const auto header = read_header(message);
    EXPECT_TRUE(header);
    return answer(*header, outcome, complaint, at);
}

TEST(Hl7Ack, AnswersByTheTableOfAcceptConditions) {
    struct Row {
        const char *condition, *stored, *failed, *refused;
    };
    for (const Row& row : {Row{"", "AA", "AE", "AR"}, Row{"NE", "AA", "AE", "AR"}, Row{"AL", "CA", "CE", "CR"},
                           Row{"ER", "AA", "CE", "CR"}, Row{"SU", "CA", "AE", "AR"}, Row{"??", "AA", "AE", "AR"}}) {
        EXPECT_EQ(acknowledgement_code(row.condition, Outcome::stored), row.stored) << row.condition;
        EXPECT_EQ(acknowledgement_code(row.condition, Outcome::failed), row.failed) << row.condition;
        EXPECT_EQ(acknowledgement_code(row.condition, Outcome::refused), row.refused) << row.condition;
    }
}

// Home-made senders look for "MSA|" in the whole answer: an id of ours that ended so would hide the code from them.
TEST(Hl7Ack, NoControlIdLooksLikeTheBeginningOfASegment) {
    const auto header = read_header("MSH|^~\\&|APP|FAC|CE|BOX|2026||ADT^A04|C1|P|2.5.1\r");
    ASSERT_TRUE(header);
    constexpr int answers = 500'000; // by chance alone, one in 32,768 ends in these three letters
    for (int i = 0; i < answers; ++i) {
        const std::string ack = answer(*header, Outcome::stored, std::nullopt, at);
        ASSERT_EQ(ack.find("MSA|"), ack.find("\rMSA|") + 1) << ack;
        ASSERT_EQ(ack.find("ERR|"), std::string::npos) << ack;
    }
}

TEST(Hl7Ack, EchoesTheControlIdByteForByteAndSwapsTheParties) {
    const std::string ack =
        answer_to("MSH|^~\\&|APP^1.2^ISO|F\xFC|CE|BOX|2026||ADT^A04^ADT_A01| a\\T\\b\xFC |P|2.5.1\r", Outcome::stored);
    EXPECT_EQ(field_of(ack, "MSA", 2), " a\\T\\b\xFC ");
    EXPECT_EQ(field_of(ack, "MSH", 2), "CE");
    EXPECT_EQ(field_of(ack, "MSH", 3), "BOX");
    EXPECT_EQ(field_of(ack, "MSH", 4), "APP^1.2^ISO");
    EXPECT_EQ(field_of(ack, "MSH", 5), "F\xFC");
    EXPECT_EQ(field_of(ack, "MSH", 8), "ACK^A04^ACK");
    EXPECT_EQ(field_of(ack, "MSH", 11), "2.5.1");
    EXPECT_THAT(ack, Not(HasSubstr("ERR")));
}

TEST(Hl7Ack, UsesTheMessagesDelimiters) {
    const std::string ack = answer_to("MSH$%*!@$A$B$C$D$2026$$ADT%A04$9$P$2.5\r", Outcome::failed,
                                      Complaint{Hl7Code::data_type, "not a date or time", "PID", 2, 7});
    EXPECT_THAT(ack, HasSubstr("MSH$%*!@$C$D$A$B$"));
    EXPECT_THAT(ack, HasSubstr("MSA$AE$9$not a date or time\r"));
    EXPECT_THAT(ack, HasSubstr("ERR$$PID%2%7$102%Data type error%HL70357$E$$$$not a date or time\r"));
}

TEST(Hl7Ack, SendsErrFromVersion25AndTheCodeInMsa6BeforeThat) {
    const Complaint complaint{Hl7Code::event_code, "this event is not taken", "MSH", 1, 9};
    for (const char* version : {"2.5", "2.5.1", "2.6", "2.7", "2.8.2", "2.10"}) {
        const std::string ack = answer_to(std::string{"MSH|^~\\&|A|B|C|D|2026||ADT^A24|9|P|"} + version + "\r",
                                          Outcome::refused, complaint);
        EXPECT_EQ(field_of(ack, "ERR", 2), "MSH^1^9") << version;
        EXPECT_EQ(field_of(ack, "ERR", 3), "201^Unsupported event code^HL70357") << version;
        EXPECT_EQ(field_of(ack, "ERR", 4), "E") << version;
    }
    for (const char* version : {"2.1", "2.3", "2.3.1", "2.4", ""}) {
        const std::string ack = answer_to(std::string{"MSH|^~\\&|A|B|C|D|2026||ADT^A24|9|P|"} + version + "\r",
                                          Outcome::refused, complaint);
        EXPECT_THAT(ack, Not(HasSubstr("\rERR"))) << version;
        EXPECT_EQ(field_of(ack, "MSA", 6), "201^Unsupported event code^HL70357") << version;
    }
}

TEST(Hl7Ack, SaysWhatToDoAndBeforeVersion25AlsoWhere) {
    const Complaint late{Hl7Code::data_type, "not a date or time", "PID", 1, 7, "send YYYYMMDD"},
        event{Hl7Code::event_code, "MSH-9: this event is not taken", "MSH", 1, 9, "turn it off"};
    const std::string now = answer_to("MSH|^~\\&|A|B|C|D|2026||ADT^A04|9|P|2.5\r", Outcome::failed, late);
    EXPECT_EQ(field_of(now, "MSA", 3), "not a date or time");
    EXPECT_EQ(field_of(now, "ERR", 8), "not a date or time; send YYYYMMDD");
    const std::string old = "MSH|^~\\&|A|B|C|D|2026||ADT^A04|9|P|2.3\r";
    EXPECT_EQ(field_of(answer_to(old, Outcome::failed, late), "MSA", 3), "PID-7: not a date or time; send YYYYMMDD");
    EXPECT_EQ(field_of(answer_to(old, Outcome::refused, event), "MSA", 3),
              "MSH-9: this event is not taken; turn it off");
}

TEST(Hl7Ack, AnswersWhatHasNoHeader) {
    const std::string ack = answer(std::nullopt, Outcome::failed, Complaint{Hl7Code::internal, "unreadable"}, at);
    EXPECT_EQ(field_of(ack, "MSA", 1), "AE");
    EXPECT_EQ(field_of(ack, "MSA", 2), "");
    EXPECT_EQ(field_of(ack, "MSH", 1), "^~\\&");
}

TEST(Hl7Ack, RepeatsNoContent) {
    const std::string ack = answer_to("MSH|^~\\&|A|B|C|D|2026||Quill^feather|9|Marrow|2.5\r", Outcome::refused,
                                      Complaint{Hl7Code::message_type, "only ADT and SIU are taken", "MSH", 1, 9});
    EXPECT_THAT(ack, Not(HasSubstr("feather")));
    EXPECT_THAT(ack, Not(HasSubstr("Marrow")));
}

} // namespace
} // namespace clinic::intake
