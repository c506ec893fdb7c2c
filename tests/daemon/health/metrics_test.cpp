#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "daemon/health/health.h"

namespace clinic::health {
namespace {

// The rules of the text format 0.0.4 that a scraper holds us to.
struct Parsed {
    std::map<std::string, std::string> types, samples; // by family; by name with labels
    std::vector<std::string> broken;
};

Parsed parse(const std::string& text) {
    static const std::regex help{R"(# HELP ([a-z_][a-z0-9_]*) \S.*\.)"},
        type{R"(# TYPE ([a-z_][a-z0-9_]*) (counter|gauge))"};
    static const std::regex sample{
        R"re(([a-z_][a-z0-9_]*)(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (-?[0-9]+))re"};
    Parsed parsed;
    std::set<std::string> helped;
    std::string family, line;
    std::istringstream lines{text};
    while (std::getline(lines, line)) {
        std::smatch match;
        if (std::regex_match(line, match, help)) {
            if (!helped.insert(match[1]).second) parsed.broken.push_back(line);
        } else if (std::regex_match(line, match, type)) {
            family = match[1];
            const bool counts = family.ends_with("_total");
            if (helped.count(family) == 0 || !parsed.types.emplace(family, match[2]).second ||
                counts != (match[2] == "counter"))
                parsed.broken.push_back(line);
        } else if (!std::regex_match(line, match, sample) || match[1] != family ||
                   !parsed.samples.emplace(match[1].str() + match[2].str(), match[3]).second) {
            parsed.broken.push_back(line);
        }
    }
    return parsed;
}

Status example() {
    Status status;
    status.box = "demo \"1\"\\\n";
    status.version = "0.1.0";
    status.crm = {.released = 5, .delivered = 4, .parked = 1};
    status.feeds = {{.feed = "mllp", .received = 3, .stored = 3}, {.feed = "csv"}};
    status.containment = {{"own user", true, ""}};
    status.needs = {{.code = "E2302", .what = "", .meaning = "", .by_itself = "", .action = ""}};
    return status;
}

TEST(Metrics, KeepTheRulesOfTheTextFormat) {
    const auto parsed = parse(to_metrics(example()));
    EXPECT_EQ(parsed.broken, std::vector<std::string>{});
    EXPECT_GT(parsed.samples.size(), 30U);
}

TEST(Metrics, SayTheBooks) {
    const auto samples = parse(to_metrics(example())).samples;
    EXPECT_EQ(samples.at(R"(clinic_egress_released_total{destination="crm"})"), "5");
    EXPECT_EQ(samples.at(R"(clinic_egress_envelopes{destination="crm",state="delivered"})"), "4");
    EXPECT_EQ(samples.at(R"(clinic_intake_received_total{feed="mllp"})"), "3");
    EXPECT_EQ(samples.at(R"(clinic_need{code="E2302"})"), "1");
    EXPECT_EQ(samples.at(R"(clinic_build_info{box="demo \"1\"\\\n",version="0.1.0"})"), "1");
}

} // namespace
} // namespace clinic::health
