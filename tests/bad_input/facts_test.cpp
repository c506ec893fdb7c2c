// What GHL says of its objects, by page or by relay, mutated: each fact that is kept is one that clinicd reads as the
// same, bounded and of the allow-list; whatever else stood there is gone.
#include <gtest/gtest.h>

#include <algorithm>

#include "sync/channel/ghl/page.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/crm_strip.h"
#include "sync/envelope/down_message.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"

namespace clinic::envelope {
namespace {

constexpr int bodies_a_round = 2'000;
constexpr const char* telling = "\"{}[],:\\0179-eE_ \n";

const WriteRules rules{.location = "location1",
                       .tag_prefix = "ce-",
                       .fields = {"fPid", "fStage", "fLast", "fNext", "fStatus", "fWhen"},
                       .reads = {.calendars = {"calendar1"}, .campaigns = {"spring"}, .sources = {"website"}}};

void expect_whole(const CrmFact& fact, const std::string& body) {
    const auto read = decode_request(encode(Request{fact}));
    ASSERT_TRUE(read && std::get<CrmFact>(*read) == fact) << body;
    const auto* contact = std::get_if<CrmContact>(&fact.said);
    if (contact == nullptr) return;
    ASSERT_TRUE(contact->source.empty() || contact->source == "website") << body;
    for (const auto& campaign : contact->campaigns) ASSERT_EQ(campaign, "spring") << body;
}

TEST(BadPages, LeaveFactsOfTheAllowListAlone) {
    const std::vector<std::pair<Route, std::string>> pages{
        {Route::contacts_changed,
         R"({"contacts":[{"id":"c1","firstName":"Ottoline","email":"o@example.org","phone":"+14155552671","dnd":false,)"
         R"("dndSettings":{"SMS":{"status":"active","message":"STOP"}},"source":"website","tags":["ce-recall-due","spring"],)"
         R"("customFields":[{"id":"fStage","value":"active"},{"id":"fNext","value":"d3_7"},{"id":"fX","value":[1,{}]}],)"
         R"("dateUpdated":"2026-11-21T10:00:00.123Z"}],"total":1})"},
        {Route::contact_read, R"({"contact":{"id":"c1","dnd":true,"tags":[],"dateUpdated":1795255200123}})"},
        {Route::calendar_events,
         R"({"events":[{"id":"a1","calendarId":"calendar1","contactId":"c1","appointmentStatus":"confirmed",)"
         R"("title":"Ottoline","startTime":"2026-11-22T09:05:00-05:00","endTime":"2026-11-22T09:35:00-05:00"}]})"},
        {Route::opportunities_page,
         R"({"opportunities":[{"id":"o1","name":"Ottoline","contactId":"c1","pipelineId":"P1","pipelineStageId":"S1",)"
         R"("status":"open","updatedAt":"2026-11-21T10:00:00Z"}],"meta":{"total":1}})"},
        {Route::location_read, R"({"location":{"id":"location1","name":"Elm Street","timezone":"America/New_York"}})"}};
    std::vector<std::string> samples;
    for (const auto& [route, body] : pages) {
        EXPECT_TRUE(ghl::read_page(route, body, {rules, 7, true}).whole) << body;
        samples.push_back(body);
    }
    std::int64_t kept = 0;
    support::Campaign campaign{
        {.name = "bad_pages", .what = "mutated pages", .plain = 10, .most = 500, .weight = bodies_a_round}};
    while (const auto seed = campaign.next()) {
        support::Mutator mutate{*seed, telling};
        for (int i = 0; i < bodies_a_round; ++i) {
            const auto& [route, body] = pages[mutate.below(pages.size())];
            const std::string bad = mutate.changed(body, samples);
            const auto page = ghl::read_page(route, bad, {rules, 7, mutate.below(2) == 0});
            ASSERT_LE(page.facts.size(), std::max<std::size_t>(page.things, 1)) << bad; // one object is not counted
            for (const auto& fact : page.facts) {
                expect_whole(fact, bad);
                ++kept;
            }
            for (const auto& person : page.people) ASSERT_TRUE(is_contact_id(person.contact)) << bad;
        }
    }
    EXPECT_GT(kept, 0) << "the mutations are so wild that they prove nothing";
}

TEST(BadDown, IsRefusedWithItsReasonOrOneFactInItsOneForm) {
    const auto sample = [](CrmFact fact) {
        return encode(DownMessage{"0f3a5c9e8b7d61420f3a5c9e8b7d6142", std::move(fact)});
    };
    const CrmContact contact{.stage = "active", .dnd = true, .campaigns = {"spring"}, .source = "website"};
    const std::vector<std::string> samples{
        sample({.id = "c1", .kind = CrmKind::contact, .updated_ms = 0, .read_ms = 1'795'255'230'000, .said = contact}),
        sample({.id = "a1",
                .kind = CrmKind::appointment,
                .updated_ms = 1'795'255'197'000,
                .read_ms = 1'795'255'230'000,
                .said = CrmAppointment{"c1", "calendar1", Booking::confirmed, 1'994'728, 1'994'730}}),
        sample({.id = "o1",
                .kind = CrmKind::opportunity,
                .updated_ms = 0,
                .read_ms = 1'795'255'230'000,
                .said = CrmOpportunity{"c1", "pipe1", "", Case::won}})};
    for (const auto& one : samples) EXPECT_TRUE(decode_down(one)) << one;
    std::int64_t passed = 0;
    support::Campaign campaign{
        {.name = "bad_down", .what = "mutated payloads", .plain = 10, .most = 500, .weight = bodies_a_round}};
    while (const auto seed = campaign.next()) {
        support::Mutator mutate{*seed, telling};
        for (int i = 0; i < bodies_a_round; ++i) {
            const std::string bad = mutate.from(samples, 2);
            const auto message = decode_down(bad);
            if (!message) {
                ASSERT_NE(std::string_view{message.error().what.c_str()}, "") << bad;
                continue;
            }
            ASSERT_EQ(encode(*message), bad) << "one form";
            const auto read = decode_request(encode(Request{message->fact}));
            ASSERT_TRUE(read && std::get<CrmFact>(*read) == message->fact) << bad;
            ++passed;
        }
    }
    EXPECT_GT(passed, 0) << "the mutations are so wild that they prove nothing";
}

} // namespace
} // namespace clinic::envelope
