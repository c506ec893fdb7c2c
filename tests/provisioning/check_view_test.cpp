#include "provisioning/check_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace clinic::provisioning {
namespace {

using nlohmann::json;

json line_of(const char* id, const char* group, const char* result, const char* root = nullptr) {
    const bool well = std::string{result} == "ok" || root != nullptr;
    return {{"id", id},
            {"title", "Room"},
            {"group", group},
            {"result", result},
            {"said", root == nullptr ? "2 % free, 31 MB of 2.0 GB" : ""},
            {"cause", well ? "" : "the disk of the records is full or nearly so: soon no message can be stored"},
            {"next", well ? "" : "free room: journalctl --vacuum-size=200M; then give the box a larger disk"},
            {"root", root == nullptr ? json{} : json(root)}};
}

json report_of(json checks, const char* result, json counts) {
    return {{"result", result}, {"counts", std::move(counts)}, {"checks", std::move(checks)}};
}

TEST(CheckView, SaysCauseAndNextStepUnderWhatIsNotOkAndNamesTheRoot) {
    const auto text =
        view_check(report_of(json::array({line_of("disk.space", "disk", "fail"), line_of("clock.date", "clock", "ok"),
                                          line_of("disk.journal", "disk", "suppressed", "disk.space"),
                                          line_of("disk.wear", "disk", "not_known")}),
                             "fail", {{"ok", 1}, {"fail", 1}, {"not_known", 1}, {"suppressed", 1}, {"warn", 0}}));
    EXPECT_EQ(text, "Disk\n"
                    "[FAIL] disk.space              2 % free, 31 MB of 2.0 GB\n"
                    "       Room: the disk of the records is full or nearly so: soon no message can\n"
                    "       be stored\n"
                    "       Next: free room: journalctl --vacuum-size=200M; then give the box a\n"
                    "       larger disk\n"
                    "[-]    disk.journal            see disk.space\n"
                    "[?]    disk.wear               2 % free, 31 MB of 2.0 GB\n"
                    "       Room: the disk of the records is full or nearly so: soon no message can\n"
                    "       be stored\n"
                    "       Next: free room: journalctl --vacuum-size=200M; then give the box a\n"
                    "       larger disk\n"
                    "\n"
                    "Clock\n"
                    "[ok]   clock.date              2 % free, 31 MB of 2.0 GB\n"
                    "\n"
                    "1 of 4 checks are ok, 1 failed, 1 not known, 1 left out for what they follow\n"
                    "from. Begin with disk.space.\n");
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(CheckView, WhereAllIsOkThatIsOneLine) {
    const auto text = view_check(report_of(json::array({line_of("disk.space", "disk", "ok")}), "ok", {{"ok", 1}}));
    EXPECT_EQ(text, "Disk\n[ok]   disk.space              2 % free, 31 MB of 2.0 GB\n\n1 of 1 checks are ok\n");
}

} // namespace
} // namespace clinic::provisioning
