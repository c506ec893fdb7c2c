#include <gtest/gtest.h>

#include "sync/envelope/frame.h"

namespace clinic::envelope {
namespace {

const WriteRules rules{.location = "Loc123",
                       .tag_prefix = "ce-",
                       .fields = {.pid = "fPid",
                                  .stage = "fStage",
                                  .last = "fLast",
                                  .next = "fNext",
                                  .appt_status = "fStatus",
                                  .appt_when = "fWhen"}};

const std::string pid = "p_0123456789ABCDEFGHJKMNPQRS";
const std::string shell = R"({"locationId":"Loc123","firstName":")" + pid +
                          R"(","source":"clinic-edge","dnd":true,)"
                          R"("tags":["ce-recall-due"],"customFields":[{"id":"fPid","field_value":")" +
                          pid + R"("}]})";
const std::string search =
    R"({"locationId":"Loc123","page":1,"pageLimit":10,"filters":[{"field":"customFields.fPid","operator":"eq","value":")" +
    pid + R"("}]})";

struct Case {
    const char* what;
    Route route;
    std::string path, body;
};

std::string with(std::string text, const std::string& part, const std::string& instead) {
    const auto at = text.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return text.replace(at, part.size(), instead);
}

std::string field(const char* id, const std::string& value) {
    return std::string{R"({"customFields":[{"id":")"} + id + R"(","field_value":")" + value + R"("}]})";
}

TEST(WriteRules, AllowWhatTheProductWrites) {
    const std::vector<Case> allowed = {
        {"the location", Route::location_read, "/locations/Loc123", ""},
        {"a contact of ours", Route::contact_read, "/contacts/abc", ""},
        {"the fields", Route::fields_read, "/locations/Loc123/customFields", ""},
        {"a field of ours", Route::field_create, "/locations/Loc123/customFields",
         R"({"name":"ce_stage","dataType":"TEXT","model":"contact"})"},
        {"the location's tags", Route::tags_read, "/locations/Loc123/tags", ""},
        {"its pipelines", Route::pipelines_read, "/opportunities/pipelines?locationId=Loc123", ""},
        {"its calendars", Route::calendars_read, "/calendars/?locationId=Loc123", ""},
        {"a shell", Route::contact_create, "/contacts/", shell},
        {"a stage with do-not-disturb", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"id":"fStage","field_value":"archived"}],"dnd":true})"},
        {"a stage as the third version has it", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"id":"fStage","fieldValue":"active"}]})"},
        {"a shell without tags", Route::contact_create, "/contacts/", with(shell, R"("tags":["ce-recall-due"],)", "")},
        {"a shell with keys in another order", Route::contact_create, "/contacts/",
         with(with(shell, R"("dnd":true,)", ""), R"({"locationId")", R"({"dnd":true,"locationId")")},
        {"the search", Route::contact_search, "/contacts/search", search},
        {"a stage", Route::contact_fields, "/contacts/abc_-9", field("fStage", "recall_due")},
        {"no stage", Route::contact_fields, "/contacts/abc", field("fStage", "none")},
        {"a bucket", Route::contact_fields, "/contacts/abc", field("fLast", "m3_6")},
        {"a year", Route::contact_fields, "/contacts/abc", field("fNext", "y2026")},
        {"an appointment's status", Route::contact_fields, "/contacts/abc", field("fStatus", "no_show")},
        {"an appointment's time", Route::contact_fields, "/contacts/abc", field("fWhen", "d0_2")},
        {"the marker", Route::contact_fields, "/contacts/abc", field("fPid", pid)},
        {"all eight tags", Route::tags_add, "/contacts/abc/tags",
         R"({"tags":["ce-new-patient","ce-returning","ce-recall-due","ce-lapsed-12m","ce-forms-pending","ce-review-ok","ce-referral-ok","ce-do-not-contact"]})"},
        {"a tag away", Route::tags_remove, "/contacts/abc/tags", R"({"tags":["ce-recall-due"]})"},
    };
    for (const Case& one : allowed) {
        const auto checked = check_request(rules, one.route, one.path, one.body);
        EXPECT_TRUE(checked) << one.what << ": " << (checked ? "" : checked.error().what.c_str());
    }
}

TEST(WriteRules, RefuseEverythingElse) {
    const std::string other_pid = "p_0123456789ABCDEFGHJKMNPQRT";
    const std::vector<Case> refused = {
        {"another location", Route::location_read, "/locations/Other", ""},
        {"a path below", Route::location_read, "/locations/Loc123/tags", ""},
        {"a read with a body", Route::location_read, "/locations/Loc123", "{}"},
        {"a query", Route::location_read, "/locations/Loc123?x=1", ""},
        {"a contact's notes", Route::contact_read, "/contacts/abc/notes", ""},
        {"a contact with a query", Route::contact_read, "/contacts/abc?x=1", ""},
        {"another location's fields", Route::fields_read, "/locations/Other/customFields", ""},
        {"a field of nobody", Route::field_create, "/locations/Loc123/customFields",
         R"({"name":"ce_phone","dataType":"TEXT","model":"contact"})"},
        {"a field of another type", Route::field_create, "/locations/Loc123/customFields",
         R"({"name":"ce_stage","dataType":"PHONE","model":"contact"})"},
        {"a field with a placeholder", Route::field_create, "/locations/Loc123/customFields",
         R"({"name":"ce_stage","dataType":"TEXT","model":"contact","placeholder":"Anna"})"},
        {"a longer query", Route::pipelines_read, "/opportunities/pipelines?locationId=Loc123&q=anna", ""},
        {"another location's calendars", Route::calendars_read, "/calendars/?locationId=Other", ""},
        {"do-not-disturb taken back", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"id":"fStage","field_value":"active"}],"dnd":false})"},
        {"both names of a value", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"id":"fStage","fieldValue":"active","field_value":"active"}]})"},
        {"no slash", Route::contact_create, "/contacts", shell},
        {"upsert", Route::contact_create, "/contacts/upsert", shell},
        {"a shell elsewhere", Route::contact_create, "/contacts/", with(shell, "Loc123", "Other")},
        {"a name", Route::contact_create, "/contacts/", with(shell, pid, "Anna")},
        {"two pseudonyms", Route::contact_create, "/contacts/", with(shell, pid, other_pid)},
        {"a last name", Route::contact_create, "/contacts/", with(shell, R"("dnd")", R"("lastName":"Muster","dnd")")},
        {"an e-mail", Route::contact_create, "/contacts/", with(shell, R"("dnd")", R"("email":"a@b.c","dnd")")},
        {"a phone", Route::contact_create, "/contacts/", with(shell, R"("dnd")", R"("phone":"+15551234567","dnd")")},
        {"another source", Route::contact_create, "/contacts/", with(shell, "clinic-edge", "anna")},
        {"without do-not-disturb", Route::contact_create, "/contacts/", with(shell, "true", "false")},
        {"without a marker", Route::contact_create, "/contacts/",
         with(shell, R"({"id":"fPid","field_value":")" + pid + R"("})", R"({"id":"fStage","field_value":"active"})")},
        {"no fields", Route::contact_create, "/contacts/",
         with(shell, R"({"id":"fPid","field_value":")" + pid + R"("})", "")},
        {"the clinic's own tag", Route::contact_create, "/contacts/", with(shell, "ce-recall-due", "vip")},
        {"a key twice", Route::contact_create, "/contacts/", with(shell, R"("dnd":true)", R"("dnd":true,"dnd":true)")},
        {"no body", Route::contact_create, "/contacts/", ""},
        {"a body that is no object", Route::contact_create, "/contacts/", "[]"},
        {"a search by phone", Route::contact_search, "/contacts/search", with(search, "customFields.fPid", "phone")},
        {"a search by query", Route::contact_search, "/contacts/search",
         with(search, R"("page":1)", R"("page":1,"query":"anna")")},
        {"a search for a name", Route::contact_search, "/contacts/search", with(search, pid, "Anna")},
        {"a search for more", Route::contact_search, "/contacts/search", with(search, R"("eq")", R"("contains")")},
        {"a long page", Route::contact_search, "/contacts/search", with(search, ":10", ":11")},
        {"another page", Route::contact_search, "/contacts/search", with(search, R"("page":1)", R"("page":2)")},
        {"a search without its filter", Route::contact_search, "/contacts/search",
         with(search, search.substr(search.find("[{") + 1, search.find("}]") - search.find("[{")), "")},
        {"the search of duplicates", Route::contact_search, "/contacts/search/duplicate", search},
        {"a field of the clinic", Route::contact_fields, "/contacts/abc", field("fOther", "active")},
        {"a field by key", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"key":"fStage","field_value":"active"}]})"},
        {"a value of the wrong name", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"id":"fStage","value":"active"}]})"},
        {"a stage of nobody's list", Route::contact_fields, "/contacts/abc", field("fStage", "vip")},
        {"a bucket for a stage", Route::contact_fields, "/contacts/abc", field("fStage", "d0_2")},
        {"a date", Route::contact_fields, "/contacts/abc", field("fLast", "2026-11-21")},
        {"a year out of range", Route::contact_fields, "/contacts/abc", field("fLast", "y1960")},
        {"no marker", Route::contact_fields, "/contacts/abc", field("fPid", "none")},
        {"a number", Route::contact_fields, "/contacts/abc", R"({"customFields":[{"id":"fLast","field_value":7}]})"},
        {"a field twice", Route::contact_fields, "/contacts/abc",
         R"({"customFields":[{"id":"fStage","field_value":"new"},{"id":"fStage","field_value":"lead"}]})"},
        {"an empty id", Route::contact_fields, "/contacts/abc", field("", "none")},
        {"tags in a PUT", Route::contact_fields, "/contacts/abc",
         R"({"tags":["ce-recall-due"],"customFields":[{"id":"fStage","field_value":"new"}]})"},
        {"no fields in a PUT", Route::contact_fields, "/contacts/abc", R"({"customFields":[]})"},
        {"the contacts themselves", Route::contact_fields, "/contacts/", field("fStage", "new")},
        {"a path of GHL's own", Route::contact_fields, "/contacts/search", field("fStage", "new")},
        {"a path below a contact", Route::contact_fields, "/contacts/abc/notes", field("fStage", "new")},
        {"a way up", Route::contact_fields, "/contacts/..", field("fStage", "new")},
        {"an id that is too long", Route::contact_fields, "/contacts/" + std::string(65, 'a'), field("fStage", "new")},
        {"a space", Route::contact_fields, "/contacts/abc", with(field("fStage", "new"), ":", ": ")},
        {"an escape", Route::contact_fields, "/contacts/abc", field("fStage", "\\u006eew")},
        {"more than ASCII", Route::contact_fields, "/contacts/abc", field("fStage", "new\xC3\xA9")},
        {"no tag", Route::tags_add, "/contacts/abc/tags", R"({"tags":[]})"},
        {"a tag twice", Route::tags_add, "/contacts/abc/tags", R"({"tags":["ce-returning","ce-returning"]})"},
        {"a tag without its prefix", Route::tags_add, "/contacts/abc/tags", R"({"tags":["recall-due"]})"},
        {"a tag with an underscore", Route::tags_add, "/contacts/abc/tags", R"({"tags":["ce-recall_due"]})"},
        {"a tag in capitals", Route::tags_add, "/contacts/abc/tags", R"({"tags":["CE-returning"]})"},
        {"tags and more", Route::tags_add, "/contacts/abc/tags", R"({"tags":["ce-returning"],"all":true})"},
        {"tags of nobody", Route::tags_add, "/contacts//tags", R"({"tags":["ce-returning"]})"},
        {"tags of two", Route::tags_remove, "/contacts/abc/def/tags", R"({"tags":["ce-returning"]})"},
        {"bulk tags", Route::tags_add, "/contacts/bulk/tags", R"({"tags":["ce-returning"]})"},
        {"notes", Route::tags_add, "/contacts/abc/notes", R"({"tags":["ce-returning"]})"},
        {"a body that is too long", Route::tags_add, "/contacts/abc/tags",
         R"({"tags":[")" + std::string(attempt_body_bytes_max, 'a') + R"("]})"},
    };
    for (const Case& one : refused) {
        const auto checked = check_request(rules, one.route, one.path, one.body);
        ASSERT_FALSE(checked) << one.what << ": " << one.path << " " << one.body;
        EXPECT_EQ(checked.error().code, Errc::refused) << one.what;
    }
}

TEST(WriteRules, RefuseAllWithoutAConfiguration) {
    const WriteRules none{};
    EXPECT_FALSE(check_request(none, Route::location_read, "/locations/", ""));
    EXPECT_FALSE(check_request(none, Route::contact_create, "/contacts/", shell));
    EXPECT_FALSE(check_request(none, Route::contact_create, "/contacts/", with(shell, "Loc123", "")));
    EXPECT_FALSE(check_request(none, Route::contact_fields, "/contacts/abc", field("", "none")));
    EXPECT_FALSE(check_request(none, Route::contact_search, "/contacts/search",
                               with(with(search, "Loc123", ""), "customFields.fPid", "customFields.")));
}

TEST(WriteRules, TagsAreWordsWithThePrefixOfThePolicy) {
    EXPECT_EQ(tag_of(*Word::parse("recall_due"), "ce-"), "ce-recall-due");
    EXPECT_EQ(tag_of(*Word::parse("lapsed_12m"), "x-"), "x-lapsed-12m");
    EXPECT_EQ(std::string{method(Route::tags_remove)}, "DELETE");
}

// The state of a booking, where bookings are told; its time, and a booking of ours, where a calendar is theirs.
TEST(WriteRules, ABookingAndItsTimeNeedTheirSettings) {
    const std::string at = "/calendars/events/appointments";
    const std::string status = R"({"appointmentStatus":"showed","toNotify":false})";
    const std::string made =
        R"({"appointmentStatus":"new","calendarId":"CAL1","contactId":"abc","endTime":"2026-11-30T09:30:00.000Z",)"
        R"("ignoreFreeSlotValidation":true,"locationId":"Loc123","startTime":"2026-11-30T09:00:00.000Z",)"
        R"("title":"a_33333333333333333333333333","toNotify":false})";
    const std::string moved =
        R"({"appointmentStatus":"new","endTime":"2026-11-30T09:30:00.000Z","ignoreFreeSlotValidation":true,)"
        R"("startTime":"2026-11-30T09:00:00.000Z","toNotify":false})";
    const auto allows = [&](bool told, const char* calendar) {
        auto some = rules;
        some.bookings = told;
        some.booking_calendar = calendar;
        return std::vector<bool>{bool(check_request(some, Route::booking_update, at + "/evt1", status)),
                                 bool(check_request(some, Route::booking_update, at + "/evt1", moved)),
                                 bool(check_request(some, Route::booking_create, at, made)),
                                 bool(check_request(some, Route::booking_search, "/contacts/abc/appointments", ""))};
    };
    EXPECT_EQ(allows(false, ""), (std::vector{false, false, false, false}));
    EXPECT_EQ(allows(true, ""), (std::vector{true, false, false, true}));
    EXPECT_EQ(allows(true, "CAL1"), (std::vector{true, true, true, true}));
    EXPECT_EQ(allows(true, "CAL2"), (std::vector{true, true, false, true}));
    auto some = rules;
    some.bookings = true;
    some.booking_calendar = "CAL1";
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {R"("toNotify":false)", R"("toNotify":true)"},
             {"a_33333333333333333333333333", "Anna Example"},
             {"09:30:00.000Z", "09:31:00.000Z"},
             {"09:30:00.000Z", "09:30:00.000+01:00"},
             {R"("ignoreFreeSlotValidation":true)", R"("ignoreFreeSlotValidation":false)"},
             {R"("toNotify":false)", R"("toNotify":false,"notes":"x")"}}) {
        auto body = made;
        body.replace(body.find(from), from.size(), to);
        EXPECT_FALSE(check_request(some, Route::booking_create, at, body)) << to;
    }
}

} // namespace
} // namespace clinic::envelope
