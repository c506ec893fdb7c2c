#include "provisioning/compare_view.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace clinic::provisioning {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json compared() {
    return {{"asked", true},
            {"under_way", nullptr},
            {"last", {{"number", 3}, {"ended_at", "2026-11-27T02:20:01.5Z"}, {"compared", 1'200}, {"requests", 14}}},
            {"percent", 99},
            {"differing", 3},
            {"kinds",
             {{{"kind", "fields"}, {"contacts", 2}, {"repair", "again"}},
              {{"kind", "twice"}, {"contacts", 1}, {"repair", "person"}},
              {{"kind", "gone"}, {"contacts", 0}, {"repair", "again"}}}}};
}

TEST(CompareView, SaysWhatDiffersAndWhatToDo) {
    const auto text = view_compare(compared());
    EXPECT_THAT(text, HasSubstr("ended 2026-11-27T02:20:01Z, 1200 links"));
    EXPECT_THAT(text, HasSubstr("fields                 2\n"));
    EXPECT_THAT(text, HasSubstr("twice                  1, for a person"));
    EXPECT_THAT(text, HasSubstr("clinicctl sync repair --dry-run --kind fields"));
    EXPECT_THAT(text, Not(HasSubstr("gone")));
}

TEST(CompareView, SaysHowFarTheOneUnderWayIs) {
    auto facts = compared();
    facts["last"] = nullptr;
    facts["percent"] = nullptr;
    json walk{{"number", 4},      {"asked_at", "2026-11-27T09:00:00Z"},
              {"by", "operator"}, {"requests", 0},
              {"compared", 0},    {"reached_at", nullptr},
              {"step", "waits"}};
    facts["under_way"] = walk;
    EXPECT_THAT(view_compare(facts), HasSubstr("waits for clinic-syncd"));
    EXPECT_THAT(view_compare(facts), HasSubstr("none has ended yet"));
    facts["under_way"]["step"] = "pages";
    facts["under_way"]["reached_at"] = "2026-10-01T09:00:00Z";
    EXPECT_THAT(view_compare(facts), HasSubstr("what changed until 2026-10-01T09:00:00Z"));
    facts["under_way"]["step"] = "contacts";
    facts["under_way"]["compared"] = 800;
    EXPECT_THAT(view_compare(facts), HasSubstr("800 links so far"));
}

TEST(CompareView, ARepairSaysWhatItDidOrWould) {
    json done{{"kind", "gone"}, {"dry_run", true}, {"found", 5}, {"put_again", 4}, {"left", 1}};
    EXPECT_THAT(view_repair(done), HasSubstr("4 would be put into the queue"));
    EXPECT_THAT(view_repair(done), HasSubstr("1 are left to a person"));
    done["dry_run"] = false;
    EXPECT_THAT(view_repair(done), HasSubstr("4 were put into the queue again"));
}

} // namespace
} // namespace clinic::provisioning
