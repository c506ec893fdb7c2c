// The facts about GHL, the probe, and the reads that the polling may make.
#include <gtest/gtest.h>

#include "sync/envelope/crm_reads.h"
#include "tests/sync/envelope/samples.h"

namespace clinic::envelope {
namespace {

const WriteRules polling_rules{
    .location = "Loc123", .tag_prefix = "ce-", .fields = {}, .reads = {.calendars = {"CAL1"}}};

std::string changed_to(std::string text, const std::string& part, const std::string& instead) {
    const auto at = text.find(part);
    EXPECT_NE(at, std::string::npos) << part;
    return text.replace(at, part.size(), instead);
}

TEST(CrmFrames, AFactKeepsItsContent) {
    const auto fact = samples::crm_contact();
    const auto back = fact_from(content_of(fact));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->said, fact.said);
    EXPECT_FALSE(fact_from(R"({"kind":"contact"})"));
}

TEST(CrmFrames, NothingButWordsOfOursIsAFact) {
    const std::string good = encode(Request{samples::crm_contact()});
    ASSERT_TRUE(decode_request(good));
    for (const auto& [part, instead] : std::vector<std::pair<std::string, std::string>>{
             {R"("stage":"active")", R"("stage":"Anna")"},
             {R"("last":"past")", R"("last":"2026-01-01")"},
             {R"("pid":"p_22222222222222222222222222")", R"("pid":"Anna Muster")"},
             {R"("new_patient")", R"("anna")"},
             {R"(["new_patient","recall_due"])", R"(["recall_due","new_patient"])"},
             {R"("autumn")", R"("Anna Muster")"},
             {R"(["autumn","spring-2026"])", R"(["spring-2026","autumn"])"},
             {R"("source":"website")", R"("source":"anna@example.org")"},
             {R"("source":"website")", R"("source":"website","firstName":"Anna")"},
             {R"("read_ms":1795255230000)", R"("read_ms":0)"},
             {R"("id":"abcDEF123")", R"("id":"search")"},
             {R"("id":"abcDEF123")", R"("id":"Anna Muster")"},
             {R"("kind":"contact")", R"("kind":"contact","deleted":true)"},
             {R"("kind":"contact")", R"("kind":"note")"}})
        EXPECT_FALSE(decode_request(changed_to(good, part, instead))) << instead;
    const std::string slot = R"({"v":1,"frame":"crm_fact","id":"a","updated_ms":0,"read_ms":1,"kind":"appointment",)"
                             R"("contact":"","calendar":"CAL1","status":"new","from_quarter":5,"until_quarter":)";
    EXPECT_TRUE(decode_request(slot + "6}"));
    EXPECT_FALSE(decode_request(slot + "5}")) << "it ends before it begins";
    EXPECT_FALSE(decode_request(slot + "1350}")) << "14 days and a quarter";
}

TEST(CrmFrames, AProbeIsANumberAndAnAddressAndNoMore) {
    const auto probe = [](const std::string& phone, const std::string& national, const std::string& email) {
        return decode_request(R"({"v":1,"frame":"match_probe","contact":"abc","phone":")" + phone +
                              R"(","national":")" + national + R"(","email":")" + email + R"("})")
            .has_value();
    };
    EXPECT_TRUE(probe("+15550102030", "5550102030", ""));
    EXPECT_TRUE(probe("", "", "o.hara+x@example.org"));
    EXPECT_FALSE(probe("", "", ""));
    EXPECT_FALSE(probe("", "5550102030", "a@b")) << "a national form of no number";
    EXPECT_FALSE(probe("5550102030", "", ""));
    EXPECT_FALSE(probe("+05550102030", "", ""));
    EXPECT_FALSE(probe("+1555 0102030", "", ""));
    EXPECT_FALSE(probe("", "", "Anna@example.org"));
    EXPECT_FALSE(probe("", "", "anna"));
    EXPECT_FALSE(probe("", "", "a@b@c"));
    EXPECT_FALSE(probe("", "", std::string(250, 'a') + "@b.cd"));
}

TEST(CrmReads, TimesAreReadInEveryZone) {
    EXPECT_EQ(iso_ms(1'795'255'200'123), "2026-11-21T10:00:00.123Z");
    EXPECT_EQ(ms_of("2026-11-21T10:00:00.123Z"), 1'795'255'200'123);
    EXPECT_EQ(ms_of("2026-11-21T10:00:00Z"), 1'795'255'200'000);
    EXPECT_EQ(ms_of("2026-11-21T05:00:00-05:00"), 1'795'255'200'000);
    EXPECT_EQ(ms_of("2026-11-21T15:30:00+0530"), 1'795'255'200'000);
    for (const char* bad : {"", "2026-11-21", "2026-13-21T10:00:00Z", "2026-11-31T10:00:00Z", "2026-11-21T25:00:00Z",
                            "2026-11-21T10:00:00", "2026-11-21T10:00:00+99:00", "2026-11-21 10:00:00Zxx"})
        EXPECT_EQ(ms_of(bad), -1) << bad;
}

TEST(CrmReads, EachHasOneForm) {
    const std::string contacts = changed_contacts_body(polling_rules, 1'795'255'200'123, 3, 50);
    EXPECT_TRUE(check_request(polling_rules, Route::contacts_changed, "/contacts/search", contacts));
    for (const auto& [part, instead] :
         std::vector<std::pair<std::string, std::string>>{{R"("page":3)", R"("page":0)"},
                                                          {R"("page":3)", R"("page":3,"query":"Anna")"},
                                                          {R"("pageLimit":50)", R"("pageLimit":101)"},
                                                          {"dateUpdated", "email"},
                                                          {"Loc123", "Loc124"},
                                                          {"2026-11-21T10:00:00.123Z", "anna@example.org"}})
        EXPECT_FALSE(check_request(polling_rules, Route::contacts_changed, "/contacts/search",
                                   changed_to(contacts, part, instead)))
            << instead;
    EXPECT_FALSE(check_request(polling_rules, Route::contact_search, "/contacts/search", contacts))
        << "a lease's search is by the marker";
    EXPECT_TRUE(check_request(polling_rules, Route::opportunities_page, "/opportunities/search",
                              opportunities_body(polling_rules, 1, 100)));
    EXPECT_FALSE(
        check_request(polling_rules, Route::opportunities_page, "/opportunities/search",
                      changed_to(opportunities_body(polling_rules, 1, 100), R"("query":"")", R"("query":"Anna")")));
    const std::string events = calendar_events_path(polling_rules, "CAL1", 1'000, 2'000);
    EXPECT_TRUE(check_request(polling_rules, Route::calendar_events, events, ""));
    EXPECT_FALSE(check_request(polling_rules, Route::calendar_events, events, "{}"));
    EXPECT_FALSE(check_request(polling_rules, Route::calendar_events, events + "&q=Anna", ""));
    EXPECT_FALSE(check_request(polling_rules, Route::calendar_events, changed_to(events, "CAL1", "CAL2"), ""));
    EXPECT_FALSE(check_request(polling_rules, Route::calendar_events,
                               calendar_events_path(polling_rules, "CAL1", 2'000, 1'000), ""));
    EXPECT_TRUE(decode_request(encode(Request{Attempt{0, Route::calendar_events, events, ""}})));
    EXPECT_FALSE(decode_request(encode(Request{Attempt{0, Route::location_read, "/locations/a?b=c", ""}})));
    EXPECT_FALSE(decode_request(encode(Request{Attempt{7, Route::calendar_events, events, ""}})));
}

} // namespace
} // namespace clinic::envelope
