// The table of the modes is the one that docs/status.md shows.
#include "daemon/health/modes.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace clinic::health {
namespace {

const char* word(Serves serves) {
    switch (serves) {
    case Serves::all: return "all";
    case Serves::some: return "some";
    case Serves::nothing: return "nothing";
    }
    return "";
}

std::string drawn() {
    std::string text = "| mode |", line = "|---|";
    for (const auto& surface : surface_names) {
        (text += " ").append(surface.c_str()) += " |";
        line += "---|";
    }
    text += "\n" + line + "\n";
    for (const auto& row : served_in_modes) {
        (text += "| `").append(name(row.mode)) += "` |";
        for (const auto serves : row.by_surface) (text += " ").append(word(serves)) += " |";
        text += "\n";
    }
    return text;
}

TEST(Modes, AreWhatTheStatusPageOfTheDocumentationShows) {
    std::ifstream in{CLINIC_SOURCE_DIR "/docs/status.md"};
    const std::string page{std::istreambuf_iterator<char>{in}, {}};
    const std::string mark = "<!-- modes: checked against daemon/health/modes.h -->\n";
    const auto from = page.find(mark), to = page.find("<!-- end of modes -->");
    ASSERT_NE(from, std::string::npos);
    ASSERT_NE(to, std::string::npos);
    EXPECT_EQ(page.substr(from + mark.size(), to - from - mark.size()), drawn());
}

TEST(Modes, EachHasALineInTheirOrder) {
    for (std::size_t at = 0; at < served_in_modes.size(); ++at)
        EXPECT_EQ(static_cast<std::size_t>(served_in_modes.at(at).mode), at);
    EXPECT_EQ(static_cast<std::size_t>(Mode::draining) + 1, served_in_modes.size()) << "the last";
}

// Whatever comes in leaves as well: a mode that stores and never sends would fill the box.
TEST(Modes, OneThatTakesMessagesDeliversToo) {
    for (const auto& row : served_in_modes) {
        EXPECT_EQ(serves(row.mode, Surface::mllp), serves(row.mode, Surface::import)) << name(row.mode);
        const bool takes = serves(row.mode, Surface::mllp) == Serves::all;
        EXPECT_TRUE(!takes || serves(row.mode, Surface::delivery) != Serves::nothing) << name(row.mode);
    }
}

} // namespace
} // namespace clinic::health
