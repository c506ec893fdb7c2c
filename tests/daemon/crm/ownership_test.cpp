// The table of the code stands in the documentation, word by word.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "daemon/crm/ownership.h"

namespace clinic::crm {
namespace {

std::string table() {
    std::string out = "| field | whose word counts | how |\n|---|---|---|\n";
    for (const auto& one : ownership)
        out += std::string{"| "} + one.name + " | " + name(one.owner) + " | " + one.rule + " |\n";
    return out;
}

TEST(Ownership, StandsInTheDocumentation) {
    std::ifstream file{CLINIC_SOURCE_DIR "/docs/crm.md"};
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_NE(text.str().find(table()), std::string::npos) << "docs/crm.md should hold:\n" << table();
}

} // namespace
} // namespace clinic::crm
