#include "provisioning/page_trust/card.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "daemon/web/web.h"
#include "provisioning/page_trust/addresses.h"
#include "provisioning/programs/program.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int console_columns = 80, console_lines = 25, prompt_lines = 2;

std::string a_fingerprint() {
    std::string all = "0F";
    for (int i = 1; i < 32; ++i) all += std::string{":"} + "0123456789ABCDEF"[i % 16] + "0123456789ABCDEF"[i * 7 % 16];
    return all;
}

// The lines that are drawn with blocks, as a console shows them: true is light.
std::vector<std::vector<bool>> drawn(const std::string& card) {
    const auto takes = [](std::string_view& text, std::string_view sign) {
        const bool is = text.starts_with(sign);
        if (is) text.remove_prefix(sign.size());
        return is;
    };
    std::vector<std::vector<bool>> rows;
    std::istringstream lines{card};
    for (std::string line; std::getline(lines, line);) {
        std::vector<bool> above, below;
        for (std::string_view left = line; !left.empty();) {
            const bool both = takes(left, "█"), upper = !both && takes(left, "▀"),
                       lower = !both && !upper && takes(left, "▄");
            if (!both && !upper && !lower && !takes(left, " ")) break; // it is text
            above.push_back(both || upper);
            below.push_back(both || lower);
            if (left.empty()) rows.insert(rows.end(), {above, below});
        }
    }
    return rows;
}

// By another program than the one that drew it, from a picture of the screen; empty: it sees no code.
std::string seen_by_a_camera(const std::string& card) {
    constexpr std::size_t scale = 8, rim = 4; // pixels a module, which makes each row whole bytes; dark modules around
    const auto rows = drawn(card);
    const std::size_t wide = rows.empty() ? 0 : rows.front().size(), width = wide + 2 * rim,
                      height = rows.size() + 2 * rim;
    std::string picture = "P4 " + std::to_string(width * scale) + " " + std::to_string(height * scale) + "\n";
    for (std::size_t y = 0; y < height * scale; ++y)
        for (std::size_t x = 0; x < width; ++x) {
            const std::size_t row = y / scale - rim, column = x - rim; // out of it they are beyond all ends
            const bool light = row < rows.size() && column < wide && rows[row][column];
            picture.push_back(light ? '\0' : '\xff');
        }
    const fakes::TempFolder folder;
    std::ofstream{folder / "screen.pbm"} << picture;
    const auto read = run_program({"zbarimg", "--nodbus", "--quiet", "--raw", (folder / "screen.pbm").string()});
    EXPECT_TRUE(read) << "packaging/dependencies installs zbarimg";
    if (!read) return {};
    std::string text;
    for (const std::byte letter : read->out.bytes()) text.push_back(std::to_integer<char>(letter));
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

TEST(TrustCard, HasAddressesFingerprintAndACode) {
    const std::string fingerprint = a_fingerprint();
    const auto card = trust_card({"clinic-edge.local"}, {"127.0.0.1", "::1", "192.168.7.20", "fd00::7"}, fingerprint);
    EXPECT_THAT(card, HasSubstr("https://clinic-edge.local/\n"));
    EXPECT_THAT(card, HasSubstr("https://192.168.7.20/\n"));
    EXPECT_THAT(card, HasSubstr("https://[fd00::7]/\n"));
    EXPECT_THAT(card, Not(HasSubstr("127.0.0.1")));
    EXPECT_THAT(card, HasSubstr("  " + fingerprint.substr(0, 48) + "\n  " + fingerprint.substr(48) + "\n"));
    EXPECT_TRUE(drawn(trust_card({"desk.clinic.example"}, {"192.168.7.20"}, "")).empty());
    EXPECT_TRUE(drawn(trust_card({"clinic-edge.local"}, {"127.0.0.1"}, fingerprint)).empty()) << "no camera reaches it";
}

TEST(TrustCard, ACameraReadsThePageWithTheFingerprintAndThePageHasItsPlace) {
    const std::string fingerprint = a_fingerprint(), place = "SHA256:" + fingerprint;
    EXPECT_EQ(seen_by_a_camera(trust_card({}, {"127.0.0.1", "192.168.100.200", "fd00::7"}, fingerprint)),
              "https://192.168.100.200/trust#" + place);
    EXPECT_EQ(seen_by_a_camera(trust_card({}, {"fd12:3456:789a:1:2345:6789:abcd:ef01"}, fingerprint)),
              "https://[fd12:3456:789a:1:2345:6789:abcd:ef01]/trust#" + place);
    EXPECT_THAT(web::trust_page(fingerprint, "/crt"), HasSubstr(" id=\"" + place + "\">" + fingerprint + "<"));
}

TEST(TrustCard, ItsCodeFitsOnAConsoleAboveThePrompt) {
    for (const char* address : {"192.168.100.200", "fd12:3456:789a:1:2345:6789:abcd:ef01"}) {
        const auto rows = drawn(trust_card({}, {address}, a_fingerprint()));
        ASSERT_FALSE(rows.empty());
        EXPECT_LE(rows.front().size(), std::size_t{console_columns});
        EXPECT_LE(rows.size() / 2, std::size_t{console_lines - prompt_lines}) << address;
    }
}

TEST(QrCode, IsSquareAndHasItsThreeEyes) {
    const std::string text = "https://192.168.7.20/trust";
    const auto rows = drawn(qr_code(text));
    ASSERT_EQ(rows.size(), 30U) << "25 modules and a quiet zone of two on each side, two to a line";
    EXPECT_EQ(rows.front().size(), 29U);
    EXPECT_THAT(qr_code(text), HasSubstr("█ ▄▄▄▄▄ █")) << "an eye's upper edge and its hole";
    EXPECT_EQ(qr_code(std::string(5'000, 'x')), "");
}

TEST(QrCode, ACameraReadsWhatWasWritten) {
    for (const std::string text : {"https://a.example/", "HTTPS://A.EXAMPLE/", "lower UPPER 0123456789012345 lower"})
        EXPECT_EQ(seen_by_a_camera(qr_code(text)), text);
}

TEST(Addresses, ThatAPublicNetworkHasAreNotTaken) {
    for (const char* ours : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.9", "169.254.1.1",
                             "::1", "fc00::1", "fdff::1"})
        EXPECT_TRUE(is_private(ours)) << ours;
    for (const char* others : {"8.8.8.8", "172.32.0.1", "192.169.0.1", "100.64.0.1", "2001:db8::1", "fe80::1", "x", ""})
        EXPECT_FALSE(is_private(others)) << others;
    EXPECT_THAT(private_addresses(), ::testing::Contains("127.0.0.1"));
}

} // namespace
} // namespace clinic::provisioning
