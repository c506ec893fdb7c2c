// A box whose settings know no id of GHL's custom fields: clinicctl finds and makes them, writes the ids down, and what
// waited is delivered; then people in GHL take one away, and the box says which and waits until it is made anew.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>

#include "tests/e2e/box.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class Prepare : public testing::Test {
protected:
    std::filesystem::path etc() const { return box.folder() / "etc"; }
    static json read(const std::filesystem::path& file) { return json::parse(std::ifstream{file}); }
    json ids(const char* file) const { return read(etc() / file).at("ghl").value("fields", json{}); }
    void forget_fields() const {
        for (const char* file : {"clinicd.json", "sync.json"}) {
            auto all = read(etc() / file);
            all["ghl"].erase("fields");
            std::ofstream{etc() / file} << all;
        }
    }
    void start_programs() const {
        for (const char* program : {"clinicd", "clinic-syncd"}) EXPECT_TRUE(box.kill_program(program));
    }
    // `try` names clinic-syncd's settings otherwise than the package does.
    Ran prepare(const std::string& words) const {
        const auto here = etc() / "sync.json", there = etc() / "clinic-syncd.json";
        std::filesystem::copy_file(here, there, std::filesystem::copy_options::overwrite_existing);
        auto ran = box.ctl("ghl prepare " + words + " --etc " + etc().string() + " --ask " +
                           (box.folder() / "sync" / "ask.sock").string());
        std::ofstream{here} << read(there);
        return ran;
    }
    void people(const std::string& does, const std::string& name) const {
        const auto there = box.endpoints().at("ghl").at("faults").get<std::string>();
        EXPECT_EQ(run("curl --silent --fail --cacert '" + (box.folder() / "ca.pem").string() + "' --data '{\"do\":\"" +
                      does + "\",\"name\":\"" + name + "\"}' " + there.substr(0, there.rfind('/')) + "/_fields")
                      .exit,
                  0);
    }
    json lane() const { return box.status()["lanes"]["crm"]; }
    bool needs(const std::string& code, const std::string& name) const {
        const auto said = box.status()["needs"];
        for (const auto& need : said)
            if (need["code"] == code &&
                (name.empty() || need["what"].get<std::string>().find(name) != std::string::npos))
                return true;
        return false;
    }

    Box box;
};

TEST_F(Prepare, TheIdsOfTheFieldsAreFoundMadeAndWrittenDown) {
    forget_fields();
    people("remove", "ce_next");
    start_programs();
    ASSERT_TRUE(eventually([&] { return lane().value("code", "") == "unprepared"; }, 60)) << lane().dump();
    ASSERT_TRUE(eventually([&] { return needs("E2109", ""); }, 30));
    ASSERT_TRUE(eventually(
        [&] { return box.send(adt("A28", "C1", "P1", "Quillfeather", "Una")).find("|AA|") != std::string::npos; }, 30));

    const auto dry = prepare("");
    EXPECT_EQ(dry.exit, 1) << dry.out;
    EXPECT_NE(dry.out.find("ce_next           is not there; --apply makes it"), std::string::npos) << dry.out;
    EXPECT_NE(dry.out.find("Pipeline Care, CEpipeline0000000001, with the stages"), std::string::npos) << dry.out;
    EXPECT_NE(dry.out.find("Calendars: Front desk"), std::string::npos) << dry.out;
    EXPECT_TRUE(ids("clinicd.json").is_null()) << "a dry run changes nothing";

    const auto done = prepare("--apply");
    EXPECT_EQ(done.exit, 0) << done.out;
    EXPECT_EQ(ids("clinicd.json").size(), 6U);
    EXPECT_EQ(ids("clinicd.json"), ids("sync.json"));
    start_programs();
    ASSERT_TRUE(eventually([&] { return box.contacts().size() == 1; }, 60)) << box.status().dump();
    EXPECT_EQ(prepare("").exit, 0);

    people("remove", "ce_stage");
    const auto seen = prepare("");
    EXPECT_EQ(seen.exit, 1) << seen.out;
    ASSERT_TRUE(eventually([&] { return needs("E2111", "ce_stage"); }, 30)) << box.status()["needs"].dump();
    box.send(adt("A28", "C2", "P2", "Quillfeather", "Ugo"));
    EXPECT_TRUE(eventually([&] { return lane().value("code", "") == "fields"; }, 60)) << lane().dump();
    EXPECT_EQ(prepare("--apply").exit, 0);
    start_programs();
    ASSERT_TRUE(eventually([&] { return box.contacts().size() == 2; }, 90)) << box.status().dump();
    EXPECT_TRUE(eventually([&] { return !needs("E2111", ""); }, 30));
    EXPECT_EQ(box.status()["egress"]["crm"]["dead"], 0) << "nobody died of it";
}

} // namespace
} // namespace clinic::e2e
