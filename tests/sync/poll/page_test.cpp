// GHL's pages hold names, numbers and notes in every corner: a fact of them holds none.
#include "sync/channel/ghl/page.h"

#include <gtest/gtest.h>

#include "sync/envelope/crm_reads.h"

namespace clinic::ghl {
namespace {

using envelope::Route;

const envelope::WriteRules page_rules{
    .location = "LOC1",
    .tag_prefix = "ce-",
    .fields = {"fPid", "fStage", "fLast", "fNext", "fStatus", "fWhen"},
    .reads = {.calendars = {"CAL1"}, .campaigns = {"spring"}, .sources = {"website"}}};

Page read(Route route, const std::string& body, bool with_people = false) {
    return read_page(route, body, {page_rules, 7, with_people});
}

std::string all_of(const Page& page) {
    std::string out;
    for (const auto& fact : page.facts) out += envelope::encode(envelope::Request{fact});
    return out;
}

// A fact that clinicd would refuse stops the round in front of all that comes behind it.
TEST(Pages, TellNothingThatNoFactMaySay) {
    for (const char* updated : {R"("9999-12-31T23:59:59.999Z")", "4102444800001", "9223372036854775807", "-1",
                                "18446744073709551615", "1e300", R"("0000-00-00T00:00:00Z")"}) {
        const auto page =
            read(Route::contacts_changed, R"({"contacts":[{"id":"c1","dateUpdated":)" + std::string{updated} + "}]}");
        ASSERT_EQ(page.facts.size(), 1U) << updated;
        EXPECT_EQ(page.facts[0].updated_ms, 0) << updated;
        EXPECT_TRUE(envelope::decode_request(all_of(page))) << updated;
    }
    for (const char* until : {"2026-11-21T10:15:00Z", "2026-12-05T10:00:00Z", "2027-11-21T10:00:00Z",
                              "9999-12-31T00:00:00Z", "2099-12-31T23:59:59Z"}) {
        const auto page =
            read(Route::calendar_events, R"({"events":[{"id":"a1","calendarId":"CAL1","appointmentStatus":"confirmed",)"
                                         R"("startTime":"2026-11-21T10:00:00Z","endTime":")" +
                                             std::string{until} + R"("}]})");
        EXPECT_TRUE(page.whole);
        for (const auto& fact : page.facts)
            EXPECT_TRUE(envelope::decode_request(envelope::encode(envelope::Request{fact}))) << until;
    }
}

const std::string contacts =
    R"({"contacts":[{"id":"c1","locationId":"LOC1","firstName":"Ottoline","lastName":"Quillfeather",
    "contactName":"Ottoline Quillfeather","email":"Ottoline@Example.org","phone":"+14155552671","dateOfBirth":"1971-03-04",
    "address1":"9 Elm Street","companyName":"Quillfeather Ltd","dnd":true,"source":"website",
    "dndSettings":{"SMS":{"status":"active","message":"Ottoline asked us to"}},
    "tags":["ce-recall-due","ce-new-patient","vip ottoline","spring","quillfeather-campaign"],
    "customFields":[{"id":"fPid","value":"Ottoline"},{"id":"fStage","value":"active"},{"id":"fLast","value":"last Tuesday"},
                    {"id":"fNext","value":"d3_7"},{"id":"fStatus","value":"none"},{"id":"fOther","value":"Quillfeather"}],
    "attributionSource":{"ip":"203.0.113.9"},"dateUpdated":"2026-11-21T10:00:00.123Z"},
    {"id":"../x","firstName":"Nobody"}],"total":2})";

TEST(Pages, KeepOfAContactWhatIsOurs) {
    const auto page = read(Route::contacts_changed, contacts);
    ASSERT_TRUE(page.whole);
    EXPECT_EQ(page.things, 2U);
    ASSERT_EQ(page.facts.size(), 1U);
    const auto& said = std::get<envelope::CrmContact>(page.facts[0].said);
    EXPECT_EQ(page.facts[0].updated_ms, 1'795'255'200'123);
    EXPECT_EQ(said.pid, "") << "no pseudonym";
    EXPECT_EQ(said.stage, "active");
    EXPECT_EQ(said.last, "") << "no word of the field";
    EXPECT_EQ(said.next, "d3_7");
    EXPECT_EQ(said.appt_status, "none");
    EXPECT_TRUE(said.dnd);
    EXPECT_EQ(said.tags, (std::vector{*envelope::Word::parse("new_patient"), *envelope::Word::parse("recall_due")}));
    EXPECT_EQ(said.campaigns, std::vector<std::string>{"spring"});
    EXPECT_EQ(said.source, "website");
    EXPECT_TRUE(page.people.empty()) << "only where probes are allowed";
    EXPECT_TRUE(envelope::decode_request(all_of(page)));
    for (const char* canary :
         {"Ottoline", "ottoline", "Quillfeather", "quillfeather", "4155552671", "Elm", "1971", "203.0"})
        EXPECT_EQ(all_of(page).find(canary), std::string::npos) << canary;
}

// A STOP by SMS sets that channel alone; the settings of each are spelt by either generation of the API.
TEST(Pages, TakeAStopOfOneChannelForAStop) {
    const auto is_stopped = [](const std::string& settings) {
        const auto page = read(Route::contacts_changed, R"({"contacts":[{"id":"c1",)" + settings +
                                                            R"("dateUpdated":"2026-11-21T10:00:00.123Z"}],"total":1})");
        EXPECT_EQ(page.facts.size(), 1U) << settings;
        return page.facts.size() == 1 && std::get<envelope::CrmContact>(page.facts[0].said).dnd;
    };
    for (const char* stop :
         {R"("dnd":true,)", R"("dnd":false,"dndSettings":{"SMS":{"status":"active","message":"STOP"}},)",
          R"("dnd":false,"dndSettings":{"Call":{"status":"inactive"},"Email":{"status":"permanent"}},)",
          R"("dndSettings":{"whatsApp":{"status":"active"}},)"})
        EXPECT_TRUE(is_stopped(stop)) << stop;
    for (const char* none :
         {"", R"("dnd":false,)", R"("dnd":"true",)", R"("dnd":false,"dndSettings":{"SMS":{"status":"inactive"}},)",
          R"("dndSettings":null,)", R"("dndSettings":["active"],)", R"("dndSettings":{"SMS":"active"},)",
          R"("inboundDndSettings":{"all":{"status":"active"}},)"})
        EXPECT_FALSE(is_stopped(none)) << none;
}

TEST(Pages, HoldPhoneAndEmailWhereProbesAreAllowed) {
    const auto page = read(Route::contacts_changed, contacts, true);
    ASSERT_EQ(page.people.size(), 1U);
    EXPECT_EQ(page.people[0].contact, "c1");
    EXPECT_EQ(page.people[0].phone, "+14155552671");
    EXPECT_EQ(page.people[0].email, "Ottoline@Example.org");
}

TEST(Pages, KeepOfABookingItsSlot) {
    const auto page = read(Route::calendar_events, R"({"events":[
        {"id":"a1","calendarId":"CAL1","contactId":"c1","appointmentStatus":"confirmed","title":"Ottoline Quillfeather",
         "notes":"root canal","startTime":"2026-11-22T09:05:00-05:00","endTime":"2026-11-22T09:35:00-05:00"},
        {"id":"a2","calendarId":"CAL9","appointmentStatus":"confirmed","startTime":"2026-11-22T09:00:00Z"},
        {"id":"a3","calendarId":"CAL1","appointmentStatus":"Ottoline","startTime":"2026-11-22T09:00:00Z"}]})");
    ASSERT_TRUE(page.whole);
    ASSERT_EQ(page.facts.size(), 1U);
    const auto& said = std::get<envelope::CrmAppointment>(page.facts[0].said);
    EXPECT_EQ(said.until_quarter - said.from_quarter, 3) << "outwards: 9:00 to 9:45";
    EXPECT_EQ(said.from_quarter * 900'000, envelope::ms_of("2026-11-22T14:00:00Z"));
    EXPECT_EQ(all_of(page).find("Ottoline"), std::string::npos);
    EXPECT_EQ(all_of(page).find("root"), std::string::npos);
}

TEST(Pages, UnderstandTheTwoStatesThatABookingHasInV3Alone) {
    const auto state = [](const std::string& status) {
        const auto page = read(Route::calendar_events, R"({"events":[{"id":"a1","calendarId":"CAL1","contactId":"c1",
            "appointmentStatus":")" + status + R"(","startTime":"2026-11-22T09:00:00Z"}]})");
        return page.facts.empty() ? envelope::Booking::invalid
                                  : std::get<envelope::CrmAppointment>(page.facts[0].said).status;
    };
    EXPECT_EQ(state("completed"), envelope::Booking::showed);
    EXPECT_EQ(state("active"), envelope::Booking::confirmed);
}

TEST(Pages, KeepOfAnOpportunityItsPlace) {
    const auto page = read(Route::opportunities_page, R"({"opportunities":[{"id":"o1","name":"Ottoline, crown",
        "contactId":"c1","pipelineId":"P1","pipelineStageId":"S1","status":"open","monetaryValue":1200,
        "contact":{"name":"Ottoline Quillfeather"},"updatedAt":"2026-11-21T10:00:00.000Z"}],"meta":{}})");
    ASSERT_EQ(page.facts.size(), 1U);
    EXPECT_EQ(page.facts[0].said,
              (decltype(page.facts[0].said){envelope::CrmOpportunity{"c1", "P1", "S1", envelope::Case::open}}));
}

TEST(Pages, HoldOneThingThatWasReadByItsId) {
    const auto place = read(Route::case_read, R"({"opportunity":{"id":"o1","name":"Ottoline, crown","contactId":"c1",
        "pipelineId":"P1","pipelineStageId":"S1","status":"won","contact":{"name":"Ottoline Quillfeather"}}})");
    ASSERT_TRUE(place.whole);
    EXPECT_EQ(place.facts[0].said,
              (decltype(place.facts[0].said){envelope::CrmOpportunity{"c1", "P1", "S1", envelope::Case::won}}));
    const auto booked = read(Route::booking_read, R"({"event":{"id":"a1","calendarId":"CAL1","contactId":"c1",
        "appointmentStatus":"confirmed","title":"Ottoline","startTime":"2026-11-22T09:00:00Z"}})");
    ASSERT_TRUE(booked.whole);
    EXPECT_EQ(booked.facts[0].kind, envelope::CrmKind::appointment);
    EXPECT_EQ((all_of(place) + all_of(booked)).find("Ottoline"), std::string::npos);
    EXPECT_FALSE(read(Route::case_read, R"({"event":{"id":"a1"}})").whole);
    EXPECT_FALSE(read(Route::booking_read, R"({"event":{"id":"a1","calendarId":"CAL9"}})").whole);
}

// In a list and by its id GHL may show what was deleted, with a mark: it is no booking, case or lead any more.
TEST(Pages, TellWhatIsMarkedAsDeletedAsDeleted) {
    const std::string booked =
        R"({"id":"a1","calendarId":"CAL1","contactId":"c1","appointmentStatus":"confirmed","deleted":true,)"
        R"("startTime":"2026-11-22T09:00:00Z","dateUpdated":"2026-11-21T10:00:00.123Z"})";
    const std::string opened = R"({"id":"o1","contactId":"c1","pipelineId":"P1","status":"open","deleted":true})";
    const std::string lead = R"({"id":"c1","phone":"+14155552671","tags":["spring"],"deleted":true})";
    for (const auto& [route, body, kind] :
         {std::tuple{Route::calendar_events, R"({"events":[)" + booked + "]}", envelope::CrmKind::appointment},
          {Route::booking_read, R"({"event":)" + booked + "}", envelope::CrmKind::appointment},
          {Route::opportunities_page, R"({"opportunities":[)" + opened + "]}", envelope::CrmKind::opportunity},
          {Route::case_read, R"({"opportunity":)" + opened + "}", envelope::CrmKind::opportunity},
          {Route::contacts_changed, R"({"contacts":[)" + lead + "]}", envelope::CrmKind::contact},
          {Route::contact_read, R"({"contact":)" + lead + "}", envelope::CrmKind::contact}}) {
        const auto page = read(route, body, true);
        ASSERT_TRUE(page.whole) << body;
        ASSERT_EQ(page.facts.size(), 1U) << body;
        EXPECT_EQ(page.facts[0].kind, kind) << body;
        EXPECT_TRUE(page.facts[0].deleted()) << body;
        EXPECT_TRUE(envelope::decode_request(all_of(page))) << body;
        EXPECT_TRUE(page.people.empty()) << "nobody asks whose it is";
    }
    EXPECT_EQ(read(Route::booking_read, R"({"event":)" + booked + "}").facts[0].updated_ms, 1'795'255'200'123);
    EXPECT_FALSE(read(Route::booking_read, R"({"event":{"id":"a1","calendarId":"CAL9","deleted":true}})").whole);
    EXPECT_FALSE(read(Route::booking_read, R"({"event":{"id":"../x","deleted":true}})").whole);
    for (const char* none : {R"("deleted":false)", R"("deleted":"true")", R"("deleted":null)", R"("deleted":1)"}) {
        const auto page = read(Route::contact_read, R"({"contact":{"id":"c1",)" + std::string{none} + "}}");
        ASSERT_EQ(page.facts.size(), 1U) << none;
        EXPECT_FALSE(page.facts[0].deleted()) << none;
    }
}

TEST(Pages, OfAnotherFormCountForNothing) {
    EXPECT_FALSE(read(Route::contacts_changed, "<html>").whole);
    EXPECT_FALSE(read(Route::contacts_changed, R"({"contacts":{}})").whole);
    EXPECT_FALSE(read(Route::calendar_events, R"({"contacts":[]})").whole);
    EXPECT_FALSE(read(Route::location_read, R"({"location":{"id":"LOC2","timezone":"Europe/Berlin"}})").whole);
    EXPECT_TRUE(read(Route::location_read, R"({"location":{"id":"LOC1","timezone":"Europe/Berlin"}})").whole);
}

} // namespace
} // namespace clinic::ghl
