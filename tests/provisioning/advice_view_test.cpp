#include "provisioning/advice_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace clinic::provisioning {
namespace {

using nlohmann::json;

TEST(AdviceView, SaysWhatAStatementCostAndWhatWouldHelp) {
    const auto text = view_advice(json::parse(R"json([{"statement":
        "SELECT id, destination, patient, kind, scope, state, tries FROM outbox WHERE destination = ? AND code = ?",
        "runs":12,"full_scan_steps":3456,"sorts":2,"automatic_indexes":0,"machine_steps":9,"slow":0,"time_us":7890,
        "plan":["SCAN outbox"],"index":"CREATE INDEX outbox_destination_code ON outbox (destination, code)"}])json"));
    EXPECT_NE(text.find("        12       3456          0        2        7.9\n"), std::string::npos) << text;
    EXPECT_NE(text.find("      SCAN outbox\n"), std::string::npos) << text;
    EXPECT_NE(text.find("would help:\n    CREATE INDEX outbox_destination_code"), std::string::npos) << text;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

TEST(AdviceView, SaysThatNothingIsToBeSaid) {
    EXPECT_EQ(view_advice(json::array()),
              "no statement has walked a table, sorted or been slow since clinicd started\n");
}

} // namespace
} // namespace clinic::provisioning
