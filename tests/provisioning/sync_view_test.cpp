#include "provisioning/sync_view.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "provisioning/ledger_commands.h"
#include "provisioning/template_command.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const json letter{{"number", 41},
                  {"class", "refused"},
                  {"kind", "contact.state"},
                  {"code", "http_422"},
                  {"attempts", 2},
                  {"queued_at", "2026-11-26T08:00:00Z"},
                  {"first_at", "2026-11-26T08:00:01.5Z"},
                  {"last_at", "2026-11-26T08:00:09Z"},
                  {"next", "Mend it, then: clinicctl sync dead retry --class refused"}};

TEST(SyncView, ADeadLetterIsALineAndItsClassSaysOnceWhatToDo) {
    const auto text = view_dead(json::array({letter, letter}));
    EXPECT_THAT(text, HasSubstr("        41  refused     contact.state     http_422        2  2026-11-26T08:00:01Z"));
    EXPECT_EQ(text.find("Mend it"), text.rfind("Mend it"));
    EXPECT_EQ(view_dead(json::array()), "nothing is set aside\n");
}

TEST(SyncView, OneLetterSaysItsRequestsAndWhatItWouldSay) {
    auto one = letter;
    one["requests"] = json::array({{{"attempt", 7},
                                    {"at", "2026-11-26T08:00:09Z"},
                                    {"route", "contact_fields"},
                                    {"result", "answered"},
                                    {"status", 422}}});
    one["envelope"] = {{"stage", "active"}};
    EXPECT_THAT(view_letter(one), HasSubstr("contact_fields  answered      422"));
    EXPECT_THAT(view_letter(one), HasSubstr("stage     \"active\""));
    one["envelope"] = nullptr;
    EXPECT_THAT(view_letter(one), HasSubstr("cannot be read"));
}

TEST(SyncView, TheStatusSaysWhatWaitsAndTheNextTry) {
    const json status{
        {"ghl", {{"lane", {{"state", "paused"}, {"code", "throttled"}}}, {"answer", {{"text", "3 changes waiting"}}}}},
        {"books", {{"pending", 3}, {"leased", 0}, {"parked", 1}, {"dead", 2}}},
        {"next_try_at", "2026-11-26T08:00:09Z"},
        {"waiting",
         {{"kinds", json::array({{{"kind", "appt.state"}, {"envelopes", 2}, {"oldest_at", "2026-11-26T07:00:00Z"}}})},
          {"ages", {{"minute", 1}, {"hour", 0}, {"day", 1}, {"older", 0}}},
          {"looked_at", 2}}},
        {"dead", json::array({{{"class", "refused"},
                               {"letters", 2},
                               {"first_at", "2026-11-26T07:00:00Z"},
                               {"last_at", "2026-11-26T07:10:00Z"},
                               {"next", "Mend it"}}})},
        {"quarantine", 0}};
    const auto text = view_sync(status);
    for (const char* part :
         {"3 changes waiting.", "GHL           paused, throttled", "Next try      2026-11-26T08:00:09Z",
          "1 up to a minute, 0 up to an hour, 1 up to a day", "appt.state", "of the oldest 2", "refused    Mend it"})
        EXPECT_THAT(text, HasSubstr(part));
}

TEST(LedgerView, ALineSaysItsFieldsAndWhereToGoOn) {
    json page{{"lines", json::array()}, {"next", nullptr}, {"pid", nullptr}, {"contact", nullptr}};
    EXPECT_EQ(view_ledger(page), "nothing left the building\n");
    page["pid"] = "p_1";
    page["lines"].push_back({{"attempt", 7},
                             {"at", "2026-11-26T08:00:09Z"},
                             {"destination", "crm"},
                             {"kind", "contact.state"},
                             {"also", nullptr},
                             {"route", "tags_add"},
                             {"fields", {{"ce_stage", "active"}, {"tags", {"ce-returning"}}}},
                             {"result", "answered"},
                             {"status", 201}});
    page["next"] = 7;
    const auto text = view_ledger(page);
    EXPECT_THAT(text, HasSubstr("pid p_1, contact -"));
    EXPECT_THAT(text, HasSubstr("ce_stage=active tags=[\"ce-returning\"]"));
    EXPECT_THAT(text, HasSubstr("more: --after 7"));
    EXPECT_THAT(text, HasSubstr("contact.state"));
    page["lines"][0]["also"] = 8;
    EXPECT_THAT(view_ledger(page), HasSubstr("both states"));
    page["lines"][0]["fields"] = nullptr;
    EXPECT_THAT(view_ledger(page), Not(HasSubstr("=")));
    page["lines"][0]["requests"] = 78;
    EXPECT_THAT(view_ledger(page), HasSubstr("78 times"));
}

TEST(TemplateView, SaysWhatTheTagsMeanAndHowLongThingsAreKept) {
    json said{{"title", nullptr},
              {"vocabulary", json::object()},
              {"retention", {{"quarantine_days", 14}, {"dead_letter_days", 60}, {"ledger_years", 10}}}};
    EXPECT_THAT(view_template(said), HasSubstr("No template was chosen: clinicctl setup --again terms"));
    said["title"] = "Dental practice";
    said["vocabulary"]["recall_due"] = "hygiene or recall visit is due";
    const auto text = view_template(said);
    EXPECT_THAT(text, HasSubstr("recall_due      hygiene or recall visit is due"));
    EXPECT_THAT(text, HasSubstr("quarantine      14 days"));
    EXPECT_THAT(text, HasSubstr("what left       10 years"));
}

TEST(LedgerView, APreviewSetsBothPoliciesSideBySide) {
    const json preview{{"days", 30},
                       {"patients", 12},
                       {"now",
                        {{"leaves", {{"contact.state", 10}}},
                         {"fields", {{"contact.state", {{"stage", 10}}}}},
                         {"stays", {{"contact.state", {{"no_contact", 2}}}}}}},
                       {"then",
                        {{"leaves", {{"booking.state", 7}}},
                         {"fields", {{"booking.state", {{"from", 7}}}}},
                         {"stays", {{"contact.state", {{"no_consent", 12}}}}}}}};
    const auto text = view_preview(preview);
    EXPECT_THAT(text, HasSubstr("contact.state leaves                                10         0"));
    EXPECT_THAT(text, HasSubstr("  with stage                                        10         0"));
    EXPECT_THAT(text, HasSubstr("booking.state leaves                                 0         7"));
    EXPECT_THAT(text, HasSubstr("  with from                                          0         7"));
    EXPECT_THAT(text, HasSubstr("contact.state stays: no_consent                      0        12"));
    EXPECT_THAT(text, HasSubstr("contact.state stays: no_contact                      2         0"));
    EXPECT_THAT(text, HasSubstr("Nothing was changed."));
}

} // namespace
} // namespace clinic::provisioning
