#include "daemon/intake/hl7_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/intake/text_encoding.h"

namespace clinic::intake {
namespace {

using ::testing::ElementsAre;

constexpr char head[] = "MSH|^~\\&|APP|FAC|CE|BOX|20261121||ADT^A04|1|P|2.5\r";

std::vector<std::string> ids(const Message& message) {
    std::vector<std::string> out;
    for (const auto& segment : message.segments()) out.push_back(segment.id);
    return out;
}

TEST(Hl7Message, ReadsFieldsRepetitionsAndComponents) {
    const auto message = parse(std::string{head} + "PID|1||10^^^HOSP&1.2&ISO^MR~20^^^LAB^PI||Doe&van^Jane\r");
    ASSERT_TRUE(message);
    const Segment& pid = *message->first("PID");
    const auto numbers = message->repetitions(pid, 3);
    ASSERT_EQ(numbers.size(), 2U);
    EXPECT_EQ(message->component(numbers[0], 1), "10");
    EXPECT_EQ(message->component(numbers[0], 4), "HOSP");
    EXPECT_EQ(message->subcomponent(numbers[0], 4, 2), "1.2");
    EXPECT_EQ(message->component(numbers[1], 5), "PI");
    EXPECT_EQ(message->component(message->field(pid, 5), 1), "Doe");
    EXPECT_EQ(message->field(pid, 40), "");
    EXPECT_EQ(message->field(message->segments().front(), 2), "^~\\&") << "MSH-1 is the separator itself";
    EXPECT_EQ(message->field(message->segments().front(), 10), "1");
}

TEST(Hl7Message, TakesItsDelimitersFromTheHeader) {
    const auto message = parse("MSH$%*!@$APP$FAC$CE$BOX$20261121$$ADT%A04$1$P$2.5\rPID$1$$10%%%H@1%MR*11\r");
    ASSERT_TRUE(message);
    const Segment& pid = *message->first("PID");
    EXPECT_EQ(message->repetitions(pid, 3).size(), 2U);
    EXPECT_EQ(message->subcomponent(message->repetitions(pid, 3)[0], 4, 2), "1");
    EXPECT_EQ(message->decoded("a!F!b!S!c!T!d!R!e!E!"), "a$b%c@d*e!");
}

struct LineEnds {
    const char* name;
    std::string text;
};
TEST(Hl7Message, EndsSegmentsAsSendersDo) {
    const std::string msh{head, sizeof head - 2};
    for (const auto& [name, text] : {
             LineEnds{"CR", msh + "\rEVN|A04\rPID|1||9\r"},
             LineEnds{"CRLF", msh + "\r\nEVN|A04\r\nPID|1||9\r\n"},
             LineEnds{"LF", msh + "\nEVN|A04\nPID|1||9\n"},
             LineEnds{"no end at the end", msh + "\rEVN|A04\rPID|1||9"},
             LineEnds{"CR, then LF before a segment", msh + "\rEVN|A04\nPID|1||9\r\n"},
             LineEnds{"blank lines", "\r\n" + msh + "\r\r\nEVN|A04\r\n\rPID|1||9\r\r"},
             LineEnds{"byte-order mark", "\xEF\xBB\xBF" + msh + "\rEVN|A04\rPID|1||9\r"},
             LineEnds{"lower-case ids", "msh" + msh.substr(3) + "\revn|A04\rpid|1||9\r"},
         }) {
        const auto message = parse(text);
        ASSERT_TRUE(message) << name;
        EXPECT_THAT(ids(*message), ElementsAre("MSH", "EVN", "PID")) << name;
        EXPECT_EQ(message->field(*message->first("PID"), 3), "9") << name;
    }
}

TEST(Hl7Message, KeepsALineFeedInsideFreeText) {
    const auto message = parse(std::string{head} + "NTE|1||first\nPID|9||not a segment\rPID|1||9\r");
    ASSERT_TRUE(message);
    EXPECT_THAT(ids(*message), ElementsAre("MSH", "NTE", "PID"));
    EXPECT_EQ(message->field(*message->first("PID"), 3), "9");
}

TEST(Hl7Message, DecodesEscapesAndKeepsUnknownOnes) {
    const auto message = parse(head);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->decoded("R\\T\\D \\F\\ \\S\\ \\R\\ \\E\\ \\P\\"), "R&D | ^ ~ \\ #");
    EXPECT_EQ(message->decoded("\\H\\bold\\N\\ and\\.br\\next"), "bold and\nnext");
    EXPECT_EQ(message->decoded("\\X4A\\\\XC3B6\\\\XF6\\"), "J\xC3\xB6\xC3\xB6");
    EXPECT_EQ(message->decoded("\\Zlocal\\ \\.sp3\\ \\XZZ\\"), "\\Zlocal\\ \\.sp3\\ \\XZZ\\");
    EXPECT_EQ(message->decoded("C:\\folder and \\F\\"), "C:\\folder and |");
    EXPECT_EQ(message->decoded("ends with \\"), "ends with \\");
}

TEST(Hl7Message, CountsARepeatedDelimiterOnce) {
    const auto message = parse("MSH|^~\\\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\rPID|1||5^^^X&Y^MR\r");
    ASSERT_TRUE(message);
    EXPECT_EQ(message->header().encoding, "^~\\\\&");
    EXPECT_EQ(message->component(message->field(*message->first("PID"), 3), 4), "X");
}

TEST(Hl7Message, TellsAbsentFromNull) {
    const auto message = parse(std::string{head} + "PID|\"\"||9|\r");
    ASSERT_TRUE(message);
    EXPECT_TRUE(is_null(message->field(*message->first("PID"), 1)));
    EXPECT_FALSE(is_null(message->field(*message->first("PID"), 2)));
}

TEST(Hl7Message, SkipsAHeaderThatIsDoubledAndRefusesTwoMessages) {
    const std::string msh = head;
    const auto doubled = parse(msh + msh + "PID|1||9\r");
    ASSERT_TRUE(doubled);
    EXPECT_THAT(ids(*doubled), ElementsAre("MSH", "PID"));
    const auto two = parse(msh + "PID|1||9\r" + msh + "PID|1||10\r");
    ASSERT_FALSE(two);
    EXPECT_EQ(two.error().at.segment, 3);
}

// Bytes of characters that are none of their own: Shift JIS has its second bytes, ISO-2022 both of them, among ASCII.
TEST(Hl7Message, KeepsItsDelimitersInAnyCharacterSet) {
    const auto odd = parse("MSH~^|!&~A~B~C~D~2026~~ADT^A04~1~P~2.5~~~~~~ISO IR14\rPID~\xB1\r");
    ASSERT_TRUE(odd);
    ASSERT_THAT(ids(*odd), ElementsAre("MSH", "PID"));
    EXPECT_EQ(odd->field(*odd->first("PID"), 1), "\xEF\xBD\xB1");

    const std::string msh = "MSH|^~\\&|A|B|C|D|2026||ADT^A04|1|P|2.5||||||";
    const auto shifted = parse(msh + "ISO IR14\rPID|1||9~10||\x8E\x52\\S\\\x95\x5C\r");
    ASSERT_TRUE(shifted);
    const Segment& numbers = *shifted->first("PID");
    EXPECT_THAT(shifted->repetitions(numbers, 3), ElementsAre("9", "10"));
    EXPECT_EQ(shifted->decoded(shifted->field(numbers, 5)), "\xE5\xB1\xB1^\xE8\xA1\xA8");

    const auto escaped = parse(msh + "~ISO IR87\rPID|1||9||\x1B$B;|\x1B(B^\x1B$B0^\x1B(B||19800101\r");
    ASSERT_TRUE(escaped);
    const Segment& name = *escaped->first("PID");
    EXPECT_EQ(escaped->field(name, 5), "\xE6\x85\x88^\xE7\xB7\xAF");
    EXPECT_EQ(escaped->field(name, 7), "19800101");
    EXPECT_FALSE(escaped->character_set_assumed());
}

TEST(Hl7Message, RefusesWhatIsNoMessage) {
    for (const char* text : {"", "hello", "MSH", "MSH|", "MSHA^~\\&|x", "MSH|abc|", "MSH||", "FHS|^~\\&|a\rMSH|^~\\&|a",
                             "\x0BMSH|^~\\&|a"})
        EXPECT_FALSE(parse(text)) << text;
    EXPECT_FALSE(parse(std::string{head} + std::string("PID|\0|", 6)));
    std::string many = head;
    for (std::size_t at = 0; at <= segments_max; ++at) many += "NTE|1\r";
    EXPECT_EQ(parse(many).error().code, Errc::full);
}

TEST(Hl7Message, ReadsTheHeaderOfWhatItCannotRead) {
    const auto header = read_header("MSH|^~\\&|A|B|C|D|2026||ADT^A01|ID 7|P|2.3\rPID|\rMSH|");
    ASSERT_TRUE(header);
    EXPECT_EQ(header->control_id, "ID 7");
    EXPECT_EQ(header->sending_facility, "B");
    EXPECT_EQ(header->version, "2.3");
}

TEST(TextEncoding, TakesUtf8ThenWhatIsSaidThenWindows1252) {
    EXPECT_EQ(to_utf8("J\xC3\xBCrgen", "8859/1").text, "J\xC3\xBCrgen") << "valid UTF-8 is that, whatever is said";
    EXPECT_EQ(to_utf8("J\xFCrgen", "8859/1").text, "J\xC3\xBCrgen");
    EXPECT_FALSE(to_utf8("J\xFCrgen", "8859/1").assumed);
    EXPECT_EQ(to_utf8("\xA4 5", "8859/15").text, "\xE2\x82\xAC 5");
    EXPECT_EQ(to_utf8("\xD6\xD0", "GB 18030-2000").text, "\xE4\xB8\xAD");
    const auto guessed = to_utf8("\x93M\xFCller\x94", "ISO IR 999");
    EXPECT_TRUE(guessed.assumed);
    EXPECT_EQ(guessed.text, "\xE2\x80\x9CM\xC3\xBCller\xE2\x80\x9D");
}

TEST(TextEncoding, KnowsTheNamesThatSendersWrite) {
    for (const char* name : {"8859/1", "ISO-8859-1", "iso8859-1", "ISO 8859-1", "Latin1", "windows-1252", "CP1252"}) {
        EXPECT_TRUE(is_character_set(name)) << name;
        EXPECT_EQ(to_utf8("J\xFCrgen", name).text, "J\xC3\xBCrgen") << name;
        EXPECT_FALSE(to_utf8("J\xFCrgen", name).assumed) << name;
    }
    for (const char* name : {"", "ASCII", "ISO IR 999", "UTF-8"}) EXPECT_FALSE(is_character_set(name)) << name;
    EXPECT_EQ(to_utf8("\xD6\xD0", {"ASCII", "GB 18030-2000"}, {}).text, "\xE4\xB8\xAD") << "MSH-18 may name several";
}

TEST(TextEncoding, FallsBackToTheSendersOwnSet) {
    const auto guessed = to_utf8("\xA3\xF3"
                                 "d\xBC",
                                 {"ASCII"}, "8859/2");
    EXPECT_EQ(guessed.text, "\xC5\x81\xC3\xB3"
                            "d\xC5\xBA");
    EXPECT_TRUE(guessed.assumed);
    EXPECT_FALSE(to_utf8("\xA3", {"8859/1"}, "8859/2").assumed) << "what the message says comes first";
}

TEST(TextEncoding, ReadsIso2022WhereItIsSaidAndShifts) {
    const std::string text = "\x1B$B;|\x1B(B";
    EXPECT_EQ(to_utf8(text, "ISO IR87").text, "\xE6\x85\x88");
    EXPECT_FALSE(to_utf8(text, "ISO IR87").assumed);
    EXPECT_EQ(to_utf8(text, "ISO IR159").text, "\xE6\x85\x88");
    EXPECT_EQ(to_utf8(text, {""}, "ISO IR87").text, "\xE6\x85\x88") << "the sender's own set";
    EXPECT_TRUE(to_utf8(text, {""}, "ISO IR87").assumed);
    for (const char* other : {"", "8859/1", "ISO IR14"}) EXPECT_EQ(to_utf8(text, other).text, text) << other;
    EXPECT_EQ(to_utf8("J\xC3\xBCrgen\x1B", "ISO IR87").text, "J\xC3\xBCrgen\x1B") << "UTF-8 after all";
}

TEST(TextEncoding, KnowsStrictUtf8) {
    for (const char* good : {"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"})
        EXPECT_TRUE(is_utf8(good)) << good;
    for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                            "\xE2\x82", "\xF5\x80\x80\x80"})
        EXPECT_FALSE(is_utf8(bad));
}

} // namespace
} // namespace clinic::intake
