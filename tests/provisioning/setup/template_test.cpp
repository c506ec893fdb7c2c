// The templates that the package brings, and every way in which one of somebody's own can be wrong.
#include "provisioning/setup/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "daemon/retention.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::setup {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

// What may be asked for is what clinicd takes, and what the package's templates ask for is as it ships.
constexpr bool same(const KeptBound& asked, daemon::Bound taken) {
    return asked.least == taken.least && asked.most == taken.most;
}
static_assert(same(kept_bounds[0], daemon::quarantine_days_bound));
static_assert(same(kept_bounds[1], daemon::dead_letter_days_bound));
static_assert(same(kept_bounds[2], daemon::ledger_years_bound));

const std::filesystem::path ours = CLINIC_SOURCE_DIR "/packaging/templates";

json written(const char* id) {
    return json::parse(std::ifstream{ours / (std::string{id} + ".json")});
}

Faults faults_of(const json& changed) {
    const fakes::TempFolder folder;
    std::ofstream{folder / "dental.json"} << changed.dump();
    Faults faults;
    const bool can_be_chosen = read_template(folder.path(), "dental", faults).has_value();
    EXPECT_EQ(can_be_chosen, faults.empty());
    return faults;
}

TEST(Template, ThoseOfThePackageCanAllBeChosen) {
    EXPECT_THAT(list_templates(ours), ElementsAre("dental", "medical", "medspa", "veterinary"));
    for (const auto& id : list_templates(ours)) {
        Faults faults;
        const auto read = read_template(ours, id, faults);
        ASSERT_TRUE(read) << id << ": " << testing::PrintToString(faults);
        EXPECT_EQ(read->pipeline.size(), 7U);
        EXPECT_EQ(read->vocabulary.size(), 8U);
        const daemon::Retention ships;
        EXPECT_EQ(read->kept.quarantine_days, ships.quarantine_days);
        EXPECT_EQ(read->kept.dead_letter_days, ships.dead_letter_days);
        EXPECT_EQ(read->kept.ledger_years, ships.ledger_years);
        EXPECT_TRUE(read->fits("off"));
    }
}

// What HIPAA binds may not go by the consent of a consumer.
TEST(Template, AMedicalPracticeHasNoConsumersConsent) {
    Faults faults;
    for (const char* id : {"medical", "dental"})
        EXPECT_FALSE(read_template(ours, id, faults)->fits("consumer_consent"));
    EXPECT_TRUE(read_template(ours, "veterinary", faults)->fits("consumer_consent"));
}

TEST(Template, EachFaultIsNamedByItsPath) {
    const json right = written("dental");
    const auto broken = [&](const auto& change) {
        json wrong = right;
        change(wrong);
        return testing::PrintToString(faults_of(wrong));
    };
    EXPECT_THAT(broken([](json& one) { one["pipeline"].erase("lapsed"); }), HasSubstr("pipeline.lapsed is missing"));
    EXPECT_THAT(broken([](json& one) { one["vocabulary"]["spam"] = "x"; }), HasSubstr("vocabulary.spam is unknown"));
    EXPECT_THAT(broken([](json& one) { one["status_words"]["Gone"] = "left"; }),
                HasSubstr("status_words.Gone is no status"));
    EXPECT_THAT(broken([](json& one) { one["bases"] = {"hope"}; }), HasSubstr("bases has one that is no legal basis"));
    EXPECT_THAT(broken([](json& one) { one["retention"]["ledger_years"] = 1; }),
                HasSubstr("retention.ledger_years is not a whole number from 6 to 10"));
    EXPECT_THAT(broken([](json& one) { one["unlinked"] = "drop"; }), HasSubstr("unlinked is none of the words"));
    EXPECT_THAT(broken([](json& one) { one["id"] = "medical"; }), HasSubstr("id is not the name of the file"));
    EXPECT_THAT(broken([](json& one) { one["v"] = 2; }), HasSubstr("v is not a whole number from 1 to 1"));
    EXPECT_THAT(broken([](json& one) { one = json::array(); }), HasSubstr("the file is not an object"));
    EXPECT_EQ(broken([](json&) {}), testing::PrintToString(Faults{}));
}

TEST(Template, OneThatIsNotThereIsAnsweredWithThoseThatAre) {
    Faults faults;
    EXPECT_FALSE(read_template(ours, "../../etc/passwd", faults));
    EXPECT_THAT(faults, ElementsAre(HasSubstr("dental, medical, medspa, veterinary")));
}

} // namespace
} // namespace clinic::setup
