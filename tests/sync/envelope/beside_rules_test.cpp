// The write set of what a patient has beside the contact: an opportunity and bookings.
#include <gtest/gtest.h>

#include "sync/envelope/frame.h"

namespace clinic::envelope {
namespace {

WriteRules with_both() {
    WriteRules rules{.location = "Loc123"};
    rules.pipeline = {"Pipe1", {"S-lead", "S-new", "S-active", "", "", "", "S-closed"}};
    rules.bookings = true;
    rules.booking_calendar = "Cal1";
    return rules;
}

const std::string opened =
    R"({"contactId":"abc","locationId":"Loc123","name":"p_22222222222222222222222222","pipelineId":"Pipe1","pipelineStageId":"S-new","status":"open"})";
const std::string moved = R"({"pipelineId":"Pipe1","pipelineStageId":"S-closed","status":"abandoned"})";
const std::string booked =
    R"({"appointmentStatus":"new","calendarId":"Cal1","contactId":"abc","endTime":"2026-11-30T09:30:00.000Z","ignoreFreeSlotValidation":true,"locationId":"Loc123","startTime":"2026-11-30T09:00:00.000Z","title":"a_33333333333333333333333333","toNotify":false})";
const std::string shown = R"({"appointmentStatus":"showed","toNotify":false})";
const std::string searched = "/opportunities/search?location_id=Loc123&contact_id=abc&pipeline_id=Pipe1&limit=20";
const std::string searched_v3 = "/opportunities/search?locationId=Loc123&contactId=abc&pipelineId=Pipe1&limit=20";

std::string in_place(std::string text, const std::string& part, const std::string& instead) {
    const auto at = text.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return text.replace(at, part.size(), instead);
}

struct Asked {
    const char* what;
    Route route;
    std::string path, body;
};

TEST(BesideRules, AllowOurOpportunitiesAndBookings) {
    const std::vector<Asked> allowed = {
        {"a case", Route::case_create, "/opportunities/", opened},
        {"a case in the pipeline's first stage", Route::case_create, "/opportunities/",
         in_place(opened, R"("pipelineStageId":"S-new",)", "")},
        {"a case that moves", Route::case_update, "/opportunities/opp1", moved},
        {"a case that ends where it is", Route::case_update, "/opportunities/opp1",
         R"({"pipelineId":"Pipe1","status":"lost"})"},
        {"the look for a case", Route::case_search, searched, ""},
        {"the same in the third version's names", Route::case_search, searched_v3, ""},
        {"a booking", Route::booking_create, "/calendars/events/appointments", booked},
        {"a booking's status", Route::booking_update, "/calendars/events/appointments/appt1", shown},
        {"a booking that moves", Route::booking_update, "/calendars/events/appointments/appt1",
         R"({"appointmentStatus":"new","endTime":"2026-11-30T10:30:00.000Z","ignoreFreeSlotValidation":true,"startTime":"2026-11-30T10:15:00.000Z","toNotify":false})"},
        {"the look for a booking", Route::booking_search, "/contacts/abc/appointments", ""},
        {"whether a case was ended", Route::case_read, "/opportunities/opp1", ""},
        {"whether a booking was called off", Route::booking_read, "/calendars/events/appointments/appt1", ""},
    };
    const auto rules = with_both();
    for (const auto& one : allowed) {
        const auto checked = check_request(rules, one.route, one.path, one.body);
        EXPECT_TRUE(checked) << one.what << ": " << (checked ? "" : checked.error().what.c_str());
    }
    EXPECT_EQ(case_search_path(rules, "abc"), searched);
    EXPECT_EQ(booking_search_path("abc"), "/contacts/abc/appointments");
    EXPECT_EQ(quarter_time(1'994'729), "2026-11-21T10:15:00.000Z");
}

TEST(BesideRules, RefuseEverythingElse) {
    const std::vector<Asked> refused = {
        {"a case with a name", Route::case_create, "/opportunities/",
         in_place(opened, "p_22222222222222222222222222", "Anna")},
        {"a case with a value", Route::case_create, "/opportunities/",
         in_place(opened, R"("status")", R"("monetaryValue":250,"status")")},
        {"a case of another pipeline", Route::case_create, "/opportunities/", in_place(opened, "Pipe1", "Pipe2")},
        {"a stage of nobody's", Route::case_create, "/opportunities/", in_place(opened, "S-new", "S-implants")},
        {"an empty stage", Route::case_create, "/opportunities/", in_place(opened, "S-new", "")},
        {"a search value as a status", Route::case_create, "/opportunities/",
         in_place(opened, R"("open")", R"("all")")},
        {"a case of another location", Route::case_create, "/opportunities/", in_place(opened, "Loc123", "Other")},
        {"an upsert", Route::case_create, "/opportunities/upsert", opened},
        {"a move with a name", Route::case_update, "/opportunities/opp1", in_place(moved, "{", R"({"name":"Anna",)")},
        {"a move without a pipeline", Route::case_update, "/opportunities/opp1",
         in_place(moved, R"("pipelineId":"Pipe1",)", "")},
        {"a move of nobody", Route::case_update, "/opportunities/", moved},
        {"a move of the search", Route::case_update, "/opportunities/search", moved},
        {"a path below a case", Route::case_update, "/opportunities/opp1/notes", moved},
        {"a lost reason", Route::case_update, "/opportunities/opp1", in_place(moved, "{", R"({"lostReasonId":"r1",)")},
        {"a search by name", Route::case_search, searched + "&q=anna", ""},
        {"a search of another location", Route::case_search, in_place(searched, "Loc123", "Other"), ""},
        {"a search of all", Route::case_search, in_place(searched, "&contact_id=abc", ""), ""},
        {"names of both versions", Route::case_search, in_place(searched, "location_id", "locationId"), ""},
        {"a search with a body", Route::case_search, searched, "{}"},
        {"a booking with a name", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, "a_33333333333333333333333333", "Anna")},
        {"a booking that notifies", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, R"("toNotify":false)", R"("toNotify":true)")},
        {"a booking with a description", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, "{", R"({"description":"crown",)")},
        {"a booking in another calendar", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, "Cal1", "Cal2")},
        {"a booking to the minute", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, "09:00:00", "09:05:00")},
        {"a booking in another zone", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, "09:00:00.000Z", "09:00:00+01:00")},
        {"a booking that ends before it begins", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, "09:30:00", "08:30:00")},
        {"a booking without an end", Route::booking_create, "/calendars/events/appointments",
         in_place(booked, R"("endTime":"2026-11-30T09:30:00.000Z",)", "")},
        {"a status that notifies", Route::booking_update, "/calendars/events/appointments/appt1",
         in_place(shown, "false", "true")},
        {"a status without the word about it", Route::booking_update, "/calendars/events/appointments/appt1",
         R"({"appointmentStatus":"showed"})"},
        {"a status in the clinic's words", Route::booking_update, "/calendars/events/appointments/appt1",
         in_place(shown, "showed", "completed")},
        {"a booking that goes to another contact", Route::booking_update, "/calendars/events/appointments/appt1",
         in_place(shown, "{", R"({"contactId":"def",)")},
        {"notes of a booking", Route::booking_update, "/calendars/events/appointments/appt1/notes", shown},
        {"the bookings of all", Route::booking_search, "/contacts//appointments", ""},
        {"all cases", Route::case_read, "/opportunities/search", ""},
        {"the followers of a case", Route::case_read, "/opportunities/opp1/followers", ""},
        {"the notes of a booking, read", Route::booking_read, "/calendars/events/appointments/appt1/notes", ""},
        {"a case that is read with a body", Route::case_read, "/opportunities/opp1", "{}"},
        {"a search for bookings with a query", Route::booking_search, "/contacts/abc/appointments?x=1", ""},
    };
    const auto rules = with_both();
    for (const auto& one : refused) {
        const auto checked = check_request(rules, one.route, one.path, one.body);
        ASSERT_FALSE(checked) << one.what << ": " << one.path << " " << one.body;
        EXPECT_EQ(checked.error().code, Errc::refused) << one.what;
    }
}

TEST(BesideRules, RefuseAllThatIsNotConfigured) {
    const WriteRules none{.location = "Loc123"};
    EXPECT_FALSE(check_request(none, Route::case_create, "/opportunities/", in_place(opened, "Pipe1", "")));
    EXPECT_FALSE(
        check_request(none, Route::case_update, "/opportunities/opp1", R"({"pipelineId":"","status":"open"})"));
    EXPECT_FALSE(check_request(none, Route::case_search, in_place(searched, "Pipe1", ""), ""));
    EXPECT_FALSE(check_request(none, Route::booking_read, "/calendars/events/appointments/appt1", ""));
    EXPECT_FALSE(
        check_request(none, Route::booking_create, "/calendars/events/appointments", in_place(booked, "Cal1", "")));
}

// Opportunities and configured calendars are polled, whether or not there are any of ours.
TEST(BesideRules, LetThePollingReadByItself) {
    const WriteRules polled{.location = "Loc123", .reads = {.calendars = {"Cal1"}, .campaigns = {}, .sources = {}}};
    EXPECT_TRUE(check_request(polled, Route::case_read, "/opportunities/opp1", ""));
    EXPECT_TRUE(check_request(polled, Route::booking_read, "/calendars/events/appointments/appt1", ""));
    EXPECT_FALSE(check_request(polled, Route::booking_search, "/contacts/c1/appointments", ""));
}

} // namespace
} // namespace clinic::envelope
