// A box with a pipeline in its settings: a patient's case is opened once, though clinic-syncd is killed between GHL's
// effect and its answer; it is moved and ended with the patient.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class CaseOnABox : public testing::Test {
protected:
    // The emulator's own.
    void give_pipeline() const {
        for (const char* file : {"clinicd.json", "sync.json"}) {
            const auto path = box.folder() / "etc" / file;
            auto all = json::parse(std::ifstream{path});
            all["ghl"]["pipeline"] = {{"id", "CEpipeline0000000001"},
                                      {"stages",
                                       {{"new", "8f9d3b7e-1c55-4f0a-9a1e-000000000001"},
                                        {"archived", "8f9d3b7e-1c55-4f0a-9a1e-000000000004"}}}};
            std::ofstream{path} << all;
        }
        for (const char* program : {"clinicd", "clinic-syncd"}) EXPECT_TRUE(box.kill_program(program));
        EXPECT_TRUE(eventually([&] { return box.status()["lanes"]["crm"].value("state", "") == "up"; }, 60));
    }
    json opportunities() const { return box.ghl().value("opportunities", json::array()); }
    long requests(const std::string& method, const std::string& path) const {
        const auto all = box.requests();
        return std::count_if(all.begin(), all.end(), [&](const json& one) {
            return one.at("method") == method && one.at("path").get<std::string>().starts_with(path);
        });
    }
    bool settled() const {
        const auto books = box.status()["egress"]["crm"];
        return books.value("pending", -1) == 0 && books.value("leased", -1) == 0;
    }

    Box box;
};

TEST_F(CaseOnABox, IsOpenedOnceAndEndsWithTheConsent) {
    ASSERT_TRUE(eventually(
        [&] { return box.send(adt("A28", "C1", "P1", "Quillfeather", "Una")).find("|AA|") != std::string::npos; }, 30));
    ASSERT_TRUE(eventually([&] { return box.contacts().size() == 1 && settled(); }, 60)) << box.status().dump();
    EXPECT_TRUE(opportunities().empty()) << "there is no pipeline";

    box.fault("timeout-after-effect", 1);
    give_pipeline();
    EXPECT_EQ(box.ctl("release daily").exit, 0);
    ASSERT_TRUE(eventually([&] { return opportunities().size() == 1; }, 60)) << box.status().dump();
    EXPECT_TRUE(box.kill_program("clinic-syncd")) << "while it waits for the answer";
    ASSERT_TRUE(eventually([&] { return settled() && requests("GET", "/opportunities/search") > 0; }, 90))
        << box.status().dump();
    ASSERT_TRUE(eventually([&] { return requests("PUT", "/opportunities/") > 0 && settled(); }, 60));
    const auto held = opportunities();
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(requests("POST", "/opportunities/"), 1);
    EXPECT_EQ(held[0]["name"], box.contacts()[0]["firstName"]) << "the pseudonym";
    EXPECT_EQ(held[0]["status"], "open");

    EXPECT_EQ(box.ctl_with_file("import consents {}", "record_number,scope,state,given_on\nP1,crm_sync,revoked,2026-01-"
                                                      "01\n")
                  .exit,
              0);
    EXPECT_TRUE(eventually([&] { return opportunities()[0]["status"] == "abandoned"; }, 60)) << box.status().dump();
    EXPECT_EQ(opportunities()[0]["pipelineStageId"], "8f9d3b7e-1c55-4f0a-9a1e-000000000004");
    EXPECT_TRUE(eventually([&] { return settled(); }, 30));
    EXPECT_EQ(box.status()["egress"]["crm"]["dead"], 0);
    EXPECT_EQ(opportunities().size(), 1U);
}

} // namespace
} // namespace clinic::e2e
