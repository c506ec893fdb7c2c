// What is not listed does not come through, and what is listed only as what it is listed as.
#include "provisioning/bundle/allowed.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "provisioning/bundle/contents.h"
#include "tests/support/canary.h"

namespace clinic::bundle {
namespace {

using nlohmann::json;

constexpr std::array places{
    Allowed{"mode", Kind::word},         Allowed{"store.pages", Kind::number}, Allowed{"store.check.at", Kind::time},
    Allowed{"needs[].code", Kind::word}, Allowed{"needs[].n", Kind::number},   Allowed{"parts[].part", Kind::words},
    Allowed{"well", Kind::flag}};

TEST(Allowed, TakesTheListedPlacesAlone) {
    const auto from = json::parse(R"({"mode":"clock-untrusted","name":"Zaphod","well":true,
        "store":{"pages":7,"path":"/home/zaphod","check":{"at":"2026-11-21T10:00:00Z","by":"Zaphod"}},
        "needs":[{"code":"E2402","n":2,"what":"Nothing comes from Zaphod"},{"code":"E2001"}],
        "parts":[{"part":"network namespace","detail":"Zaphod"}]})");
    EXPECT_EQ(
        only(from, places),
        json::parse(R"({"mode":"clock-untrusted","well":true,"store":{"pages":7,"check":{"at":"2026-11-21T10:00:00Z"}},
                              "needs":[{"code":"E2402","n":2},{"code":"E2001"}],"parts":[{"part":"network namespace"}]})"));
}

TEST(Allowed, WhatIsOfAnotherKindIsNull) {
    const auto from = json::parse(R"({"mode":"Zaphod Beeblebrox","well":"Zaphod","store":{"pages":"Zaphod",
        "check":{"at":"Zaphod, 2026-11-21T10:00:00Z"}},"needs":[{"code":["Zaphod"],"n":{"Zaphod":1}}]})");
    EXPECT_EQ(only(from, places), json::parse(R"({"mode":null,"well":null,"store":{"pages":null,"check":{"at":null}},
                                                  "needs":[{"code":null,"n":null}]})"));
}

TEST(Allowed, AnotherShapeIsNoDocument) {
    for (const char* text : {"[]", "null", "3", R"("Zaphod")", R"({"store":"Zaphod","needs":{"code":"Zaphod"}})"})
        EXPECT_EQ(only(json::parse(text), places).dump().find("Zaphod"), std::string::npos) << text;
}

TEST(Allowed, ListsHaveABound) {
    json from{{"needs", json::array()}};
    for (int i = 0; i < 1'000; ++i) from["needs"].push_back({{"code", "E2001"}});
    EXPECT_EQ(only(from, places).at("needs").size(), 200U);
}

TEST(Allowed, KindsAreNarrow) {
    EXPECT_TRUE(fits("1.2.3~rc1+deb12u2", Kind::word));
    EXPECT_TRUE(fits("", Kind::word));
    for (const std::string& wrong : {std::string{"two words"}, std::string{"a@b"}, std::string{"M\xc3\xbcller"},
                                     std::string(65, 'a'), std::string{"a/b"}, std::string{"a\nb"}})
        EXPECT_FALSE(fits(wrong, Kind::word)) << wrong;
    EXPECT_TRUE(fits("2026-11-21T10:00:00.123456Z", Kind::time));
    for (const char* wrong :
         {"", "2026-11-21", "2026-11-21T10:00:00", "2026-11-21T10:00:00 Z", "2026-11-21T10:00:00Zaphod Z"})
        EXPECT_FALSE(fits(wrong, Kind::time)) << wrong;
}

TEST(SafeMetrics, AreNumbersUnderNamesOfOurs) {
    const std::string text = "# HELP clinic_store_jobs_total Jobs.\n# TYPE clinic_store_jobs_total counter\n"
                             "clinic_store_jobs_total 12\n"
                             "clinic_egress_messages_total{destination=\"crm\",state=\"pending\"} 3\n"
                             "clinic_containment_holds{part=\"network namespace\"} 1\n"
                             "clinic_sender_messages_total{sender=\"Zaphod\",result=\"stored\"} 3\n"
                             "clinic_other{sender=\"Zaphod\"} 3\n"
                             "clinic_store_patients 17\n"
                             "other_total 3\n"
                             "clinic_text \"Zaphod\"\n";
    EXPECT_EQ(safe_metrics(text), "clinic_store_jobs_total 12\n"
                                  "clinic_egress_messages_total{destination=\"crm\",state=\"pending\"} 3\n"
                                  "clinic_containment_holds{part=\"network namespace\"} 1\n");
}

} // namespace
} // namespace clinic::bundle
