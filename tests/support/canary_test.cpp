// The search that says "nothing leaked" finds a planted canary in every form, wherever it lies.
#include "tests/support/canary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <random>

#include "tests/fakes/temp_folder.h"
#include "tests/support/gzip.h"

namespace clinic::support {
namespace {

const std::string word = "qvexlorumi", number = "730918265", accented = "qvéxlörûmi";

std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random{seed};
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random());
    return out;
}

bool finds(const Search& search, const std::string& bytes) {
    return !search.in(bytes).empty();
}

TEST(CanarySearch, FindsNothingInNoise) {
    const Search search{{word, number}};
    EXPECT_TRUE(search.in(noise(8U << 20, 1)).empty());
    std::mt19937 random{2};
    std::string digits;
    while (digits.size() < (4U << 20)) digits += std::to_string(random() % 1'000'000) + (random() % 5 == 0 ? "," : " ");
    EXPECT_TRUE(search.in(digits).empty());
}

// Nine digits of a clock's reading are a canary's by chance once in some hundred days: of each field, plain or
// reversed.
TEST(CanarySearch, AClocksReadingOfTheseDaysIsNoLeakAndAnyOtherNumberIs) {
    const std::string now = std::to_string(std::time(nullptr)), then = std::to_string(std::time(nullptr) - 10 * 86'400);
    for (const auto& time : {now + "731", now + "731909", now + "731909265"}) {
        const auto digits = time.substr(time.size() - 9);
        for (const auto& canary : {digits, std::string{digits.rbegin(), digits.rend()}}) {
            const Search search{{canary}};
            EXPECT_TRUE(search.in(R"({"at":)" + time + R"(,"n":1})").empty()) << time;
            for (const auto& leak : {then + digits, "1" + time, time + "1", digits, digits + "1234567", "1" + digits})
                EXPECT_TRUE(finds(search, R"({"at":)" + leak + R"(,"n":1})")) << leak;
            EXPECT_TRUE(finds(search, time + ", " + digits));
        }
    }
    EXPECT_TRUE(finds(Search{{number}}, now + "000, 730-918-265"));
}

// A date of birth has eight digits, and an export of the audit chain some hundred thousand runs of them.
TEST(CanarySearch, DigitsOfADigestAreNoLeakAndThoseBesideItAre) {
    const std::string date = "25051925", before = "0f3c9ab1e84d7a26cc", after = "e5b7042fd98c1a3e6b";
    const Search search{{date}};
    for (const auto& digits : {date, std::string{date.rbegin(), date.rend()}}) {
        EXPECT_FALSE(finds(search, R"({"digest":")" + before + digits + after + R"("})"));
        EXPECT_TRUE(finds(search, R"({"digest":")" + before + after + R"(","n":")" + digits + R"("})"));
        EXPECT_TRUE(finds(search, before + "-" + digits + "-" + after));
        EXPECT_TRUE(finds(search, before.substr(0, 8) + digits + after.substr(0, 8))) << "shorter than a digest";
        EXPECT_TRUE(finds(search, "1234567890123456" + digits + "12345678")) << "a number, however long";
    }
}

// Names are sent capitalised, and come out as they came in, or in another case.
TEST(CanarySearch, FindsEachFormOfItInEachCase) {
    const Search search{{word}};
    std::string upper = word, lower = word, capitalised = word;
    for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    capitalised = upper.substr(0, 1) + lower.substr(1);
    for (const auto& cased : {upper, lower, capitalised})
        for (const auto& form : forms(cased)) EXPECT_TRUE(finds(search, noise(100, 5) + form.bytes)) << form.name;
}

TEST(CanarySearch, FindsEachFormInNoise) {
    const Search search{{word, number, accented}};
    for (const auto& canary : {word, number, accented})
        for (const auto& form : forms(canary)) {
            const auto before = noise(1'000, 3);
            const auto hits = search.in(before + form.bytes + noise(1'000, 4));
            EXPECT_TRUE(std::any_of(hits.begin(), hits.end(), [&](const Hit& hit) {
                return hit.canary == canary && hit.at == before.size();
            })) << form.name;
        }
}

// Made by other hands than forms(): what an encoder would write of a whole sentence.
TEST(CanarySearch, FindsWhatAnEncoderMakesOfASentence) {
    const Search search{{word, number}};
    for (const char* line :
         {"name QVEXLORUMI arrived", "name QvExLoRuMi", "imurolxevq", "%71%76%65%78%6C%6F%72%75%6D%69",
          "\\u0071\\u0076\\u0065\\u0078\\u006C\\u006f\\u0072\\u0075\\u006d\\u0069",
          "&#x71;&#x76;&#x65;&#x78;&#x6c;&#x6F;&#x72;&#x75;&#x6d;&#x69;",
          "&#113;&#118;&#101;&#120;&#108;&#111;&#114;&#117;&#109;&#105;", "=71=76=65=78=6C=6F=72=75=6D=69",
          "7176657868 71 76 65 78 6c 6f 72 75 6d 69", "717665786C6F72756D69",
          // printf '…' | base64: "Mrs qvexlorumi x", "aMrs qvexlorumi x", "abMrs qvexlorumi x", "Mrs Qvexlorumi",
          // "QVEXLORUMI"
          "TXJzIHF2ZXhsb3J1bWkgeA==", "YU1ycyBxdmV4bG9ydW1pIHg=", "YWJNcnMgcXZleGxvcnVtaSB4",
          "TXJzIFF2ZXhsb3J1bWk=", "UVZFWExPUlVNSQ==", "ｑｖｅｘｌｏｒｕｍｉ", "ＱＶＥＸＬＯＲＵＭＩ",
          "phone 730-918-265", "(730) 918 265", "+1 730.91.82.65", "7 3 0 9 1 8 2 6 5", "７３０９１８２６５",
          "q\u200bv\u200be\u200bx\u200bl\u200bo\u200br\u200bu\u200bm\u200bi"})
        EXPECT_TRUE(finds(search, line)) << line;
    EXPECT_FALSE(finds(search, "qvexlorum 730-918-26, qvex lorumi"));
}

// Made by other hands, too: Python's codecs, urllib, html, json and quopri.
TEST(CanarySearch, FindsAWordWithAccentsInEachWritingOfIt) {
    const Search search{{accented}};
    for (const char* line :
         {"name Qvéxlörûmi arrived", "QVÉXLÖRÛMI", "imûrölxévq", "qvexlorumi", "QVEXLORUMI", "qv\xe9xl\xf6r\xfbmi",
          "QV\xc9XL\xd6R\xdbMI", "qve\u0301xlo\u0308ru\u0302mi", "qv%C3%A9xl%C3%B6r%C3%BBmi", "qv%E9xl%F6r%FBmi",
          "QV%C3%89XL%C3%96R%C3%9BMI", "Qv\\u00e9xl\\u00F6r\\u00fbmi", "qv&eacute;xl&ouml;r&ucirc;mi",
          "QV&Eacute;XL&Ouml;R&Ucirc;MI", "qv&#233;xl&#246;r&#251;mi", "qv&#xe9;xl&#xf6;r&#xfb;mi",
          "qv=C3=A9xl=C3=B6r=C3=BBmi", "qv=E9xl=F6r=FBmi", "7176c3a9786cc3b672c3bb6d69", "7176e9786cf672fb6d69",
          // printf '…' | base64: "Mrs Qvéxlörûmi x" in UTF-8 and in Latin-1
          "TXJzIFF2w6l4bMO2csO7bWkgeA==", "TXJzIFF26Xhs9nL7bWkgeA=="})
        EXPECT_TRUE(finds(search, line)) << line;
    EXPECT_TRUE(finds(search, std::string{"q\0v\0\xe9\0x\0l\0\xf6\0r\0\xfb\0m\0i\0", 20}));
    for (const char* line : {"qvxlrmi", "qv?xl?r?mi", "qvéxlör mi"}) EXPECT_FALSE(finds(search, line)) << line;
}

// As mail and certificates are written: base64 in lines of 76 and 64 signs, quoted-printable with soft breaks. The word
// stands at each place beside the break.
TEST(CanarySearch, FindsItAcrossABrokenLine) {
    const Search search{{word, number, accented}};
    const auto broken = [](const std::string& text, std::size_t line, const std::string& sign) {
        std::string out;
        for (std::size_t at = 0; at < text.size(); at += line) out += text.substr(at, line) + sign;
        return out;
    };
    for (const auto& canary : {word, number, accented})
        for (const auto& form : forms(canary))
            for (std::size_t before = 76 - std::min<std::size_t>(75, form.bytes.size()); before <= 76; ++before) {
                const auto text = std::string(before, 'A') + form.bytes + std::string(200, 'A');
                const bool is_base64 = form.name.starts_with("base64"),
                           is_quoted = form.name.starts_with("quoted-printable");
                if (is_base64) {
                    EXPECT_TRUE(finds(search, broken(text, 76, "\r\n"))) << form.name << " at " << before;
                    EXPECT_TRUE(finds(search, broken(text.substr(12), 64, "\n"))) << form.name << " at " << before;
                }
                if (is_quoted) {
                    EXPECT_TRUE(finds(search, broken(text, 75, "=\r\n"))) << form.name << " at " << before;
                    EXPECT_TRUE(finds(search, broken(text, 75, "=\n"))) << form.name << " at " << before;
                }
            }
    EXPECT_FALSE(finds(search, "the qvex\nlorumi")) << "words of two lines";
}

TEST(CanarySearch, FindsItInGzipAndInGzipInGzip) {
    const Search search{{word, number}};
    for (const auto& text : {"record of " + word, "phone " + number, std::string{"%71%76%65%78%6c%6f%72%75%6d%69"}}) {
        const auto once = gzip(noise(100'000, 5) + text + noise(1'000, 8));
        EXPECT_TRUE(finds(search, noise(999, 6) + once + noise(999, 7))) << text;
        EXPECT_TRUE(finds(search, gzip(once))) << text;
        EXPECT_TRUE(finds(search, once.substr(0, once.size() - 9))) << "cut off";
    }
}

TEST(CanarySearch, FindsItWhereTwoPartsOfAFileMeet) {
    const fakes::TempFolder folder;
    const Search search{{word, number}};
    constexpr std::size_t part = 65'536;
    for (const auto& form : forms(word))
        for (const std::size_t before : {part - 3, part - form.bytes.size(), part, 2 * part - 1}) {
            std::ofstream{folder / "file", std::ios::binary} << std::string(before, '.') << form.bytes << "...";
            EXPECT_FALSE(search.in_file(folder / "file", part).empty()) << form.name << " at " << before;
        }
}

TEST(CanarySearch, FindsItInGzipThatReachesOverThePartsOfAFile) {
    const fakes::TempFolder folder;
    const Search search{{word, number}};
    constexpr std::size_t part = 65'536;
    std::string text = noise(6 * part, 9);
    for (char& c : text)
        c = static_cast<char>('A' + (c & 15)); // shrinks to a half: what does not shrink is kept as it is
    const auto stream = gzip(text + word);
    ASSERT_EQ(stream.find(word), std::string::npos);
    ASSERT_GT(stream.size(), 3 * part);
    for (const std::size_t before :
         {std::size_t{0}, part - stream.size() % part, part - 1, part - 2, part - 3, part, part / 2, 2 * part - 1}) {
        std::ofstream{folder / "file", std::ios::binary} << std::string(before, '.') << stream << "...";
        EXPECT_FALSE(search.in_file(folder / "file", part).empty()) << before;
    }
}

} // namespace
} // namespace clinic::support
