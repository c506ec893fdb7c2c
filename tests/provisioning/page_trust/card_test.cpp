#include "provisioning/page_trust/card.h"

#include <gmock/gmock.h>

#include <fstream>

#include "provisioning/page_trust/addresses.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TrustCard, HasAddressesFingerprintAndACode) {
    const std::string pair = "AB:", last = "AB";
    std::string fingerprint;
    for (int i = 0; i < 31; ++i) fingerprint += pair;
    fingerprint += last;
    const auto card = trust_card({"clinic-edge.local"}, {"127.0.0.1", "::1", "192.168.7.20", "fd00::7"}, fingerprint);
    EXPECT_THAT(card, HasSubstr("https://clinic-edge.local/\n"));
    EXPECT_THAT(card, HasSubstr("https://192.168.7.20/\n"));
    EXPECT_THAT(card, HasSubstr("https://[fd00::7]/\n"));
    EXPECT_THAT(card, Not(HasSubstr("127.0.0.1")));
    EXPECT_THAT(card, HasSubstr("  " + fingerprint.substr(0, 48) + "\n  " + fingerprint.substr(48) + "\n"));
    EXPECT_THAT(card, HasSubstr("█"));
    EXPECT_THAT(trust_card({"desk.clinic.example"}, {"192.168.7.20"}, ""), Not(HasSubstr("█")));
}

// Read back as a picture by another program, where the machine has one; by its own shape anyway.
TEST(QrCode, IsSquareAndHasItsThreeEyes) {
    const auto code = qr_code("https://192.168.7.20/trust");
    std::vector<std::string> lines;
    std::string line;
    for (const char c : code) c == '\n' ? (lines.push_back(line), line.clear()) : line.push_back(c);
    ASSERT_EQ(lines.size(), 15U) << "25 modules and a quiet zone of two on each side, two to a line";
    EXPECT_THAT(code, HasSubstr("█ ▄▄▄▄▄ █")) << "an eye's upper edge and its hole";
    EXPECT_EQ(qr_code(std::string(5'000, 'x')), "");
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
