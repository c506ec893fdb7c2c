#include "daemon/intake/mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using ::testing::HasSubstr;
using testing::joined;
using testing::msh;
using ::testing::Not;

TEST(Mask, ShowsTheShapeAndNotTheContent) {
    EXPECT_EQ(
        masked(joined({msh("ADT^A04", "C1", "20261121100000+0100"),
                       "PID|1||10^^^HOSP^MR~77^^^LAB&1.2&ISO^PI||O\\T\\Neil^Jane||19850631|F|||\"\"|(617)555-0142",
                       "ZPD|secret|1985-06-15"})),
        joined({"MSH|^~\\&|APP|FAC|CE|BOX|99999999999999+9999||ADT^A04|x|P|2.5",
                "PID|9||99^^^x^x~99^^^x&9.9&x^x||x^x||99999999|x|||\"\"|x", "ZPD|x|9999-99-99"}));
}

TEST(Mask, HasNoWordOfAMessageWhateverItsForm) {
    const std::vector<std::string> messages{
        joined({msh("ADT^A04", "Quillfeather"), "NTE|1||Quillfeather is ill", "OBX|1|TX|||Quill\\.br\\Quillfeather"}),
        "Quillfeather,Jane,1985-06-15\nno HL7 at all; Quillfeather",
        "MSH$%~\\&$APP$FAC$$$2026$$ADT%A04$1$P$2.5\rPID$1$$10$$Quillfeather%Jane",
        joined({msh("ADT^A04", "1"), "PID|1||10||Quillfeather|", "Quillfeather in a torn line"}),
        "MSH|" + std::string(10, '|') + "\rPID|Quillfeather",
        std::string{"MSH|^~\\&|A\0Quillfeather", 23}};
    for (const auto& message : messages) EXPECT_THAT(masked(message), Not(HasSubstr("Quill"))) << message;
}

TEST(Mask, ShowsCodesOfTheHeaderAndNoNameInTheirPlace) {
    const std::string codes = "MSH|^~\\&|APP|FAC|CE|BOX|x||ADT^A04^ADT_A01|x|P^T|2.5.1|||AL|NE||";
    for (const char* set : {"UNICODE UTF-8", "8859/1", "ASCII", "ISO IR87~8859/15", "UTF-8"})
        EXPECT_EQ(masked(codes + set), codes + set + "\r");
    for (const char* name : {"Quill", "QUILL", "quill", "O QUILL", "730918265", "1985-06-15", "555-0142", "ADT_QUILL"})
        for (const char* header :
             {"ADT^@|1|P|2.5", "@^A04|1|P|2.5", "ADT^A04|1|@|2.5", "ADT^A04|1|P|@", "ADT^A04|1|P|2.5|||@|@||@"}) {
            std::string message = "MSH|^~\\&|APP|FAC|CE|BOX|x||" + std::string{header};
            for (auto at = message.find('@'); at != std::string::npos; at = message.find('@'))
                message.replace(at, 1, name);
            EXPECT_THAT(masked(message), Not(HasSubstr(name))) << message;
        }
}

TEST(Mask, KeepsNoLongNumber) {
    EXPECT_THAT(masked(msh("ADT^A04", "1") + "\rPID|" + std::string(40, '7')), HasSubstr("PID|x\r"));
}

} // namespace
} // namespace clinic::intake
