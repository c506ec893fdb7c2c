// What the linker was told is in the programs that were built: as readelf(1) sees them.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

namespace clinic::house {
namespace {

std::string shown(const std::string& program) {
    struct Close {
        void operator()(FILE* stream) const { pclose(stream); }
    };
    const std::unique_ptr<FILE, Close> pipe{popen(("readelf -hdlW --dyn-syms '" + program + "'").c_str(), "r")};
    std::string text;
    std::array<char, 4096> part{};
    while (pipe && fgets(part.data(), part.size(), pipe.get()) != nullptr) text += part.data();
    return text;
}

std::string line_with(const std::string& text, const std::string& word) {
    const auto at = text.find(word);
    if (at == std::string::npos) return {};
    const auto from = text.rfind('\n', at) + 1;
    return text.substr(from, text.find('\n', at) - from);
}

class Hardening : public testing::TestWithParam<const char*> {};

TEST_P(Hardening, IsInTheProgram) {
    const std::string text = shown(GetParam());
    ASSERT_FALSE(text.empty());
    EXPECT_NE(line_with(text, "Type:").find("DYN"), std::string::npos) << "position-independent";
    EXPECT_NE(line_with(text, "(FLAGS_1)").find("PIE"), std::string::npos);
    EXPECT_NE(line_with(text, "(FLAGS)").find("BIND_NOW"), std::string::npos) << "no lazy binding";
    EXPECT_NE(line_with(text, "GNU_RELRO"), "") << "the tables of addresses are read-only";
    EXPECT_EQ(line_with(text, "GNU_STACK").find("RWE"), std::string::npos) << "nothing runs on the stack";
    EXPECT_NE(line_with(text, "__stack_chk_fail"), "");
    EXPECT_NE(line_with(text, "_chk@GLIBC"), "") << "fortified calls";
    EXPECT_NE(line_with(text, "__glibcxx_assert_fail"), "") << "checked containers";
    EXPECT_EQ(line_with(text, "RUNPATH") + line_with(text, "RPATH"), "") << "libraries from the system alone";
}

INSTANTIATE_TEST_SUITE_P(Programs, Hardening,
                         testing::Values(CLINICD, CLINIC_OBSERVER, CLINIC_SYNCD, CLINIC_RELAY, CLINICCTL));

} // namespace
} // namespace clinic::house
