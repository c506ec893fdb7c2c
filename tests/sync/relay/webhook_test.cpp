#include "sync/relay/webhook.h"

#include <gtest/gtest.h>

#include "sync/envelope/down_message.h"
#include "tests/support/canary.h"
#include "tests/sync/relay/signed.h"

namespace clinic::relay {
namespace {

using envelope::CrmFact;
using nlohmann::json;

constexpr std::int64_t sent = 1'795'255'198'000; // 2026-11-21T09:59:58Z

std::optional<CrmFact> fact_of(const json& body) {
    const auto webhook = Webhook::read(body.dump());
    EXPECT_TRUE(webhook);
    const auto fact = webhook->fact(test::rules());
    return fact ? *fact : std::nullopt;
}

json appointment() {
    return {{"type", "AppointmentUpdate"},
            {"appId", test::app},
            {"locationId", test::location},
            {"timestamp", "2026-11-21T09:59:58.000Z"},
            {"appointment",
             {{"id", "appt1"},
              {"title", "Zyxwvarabella Quillfeatherstone"},
              {"calendarId", "calendar1"},
              {"contactId", "contact1"},
              {"appointmentStatus", "confirmed"},
              {"notes", "Nebelkraehengasse"},
              {"startTime", "2026-11-23T10:05:00Z"},
              {"endTime", "2026-11-23T10:40:00Z"},
              {"dateUpdated", "2026-11-21T09:59:57.000Z"}}}};
}

TEST(Webhook, TellsOfAContactNothingButOurs) {
    const auto fact = fact_of(test::contact());
    ASSERT_TRUE(fact);
    EXPECT_EQ(fact->id, "contact1");
    EXPECT_EQ(fact->read_ms, sent);
    EXPECT_EQ(fact->updated_ms, 0); // GHL does not say it of a contact
    const auto& contact = std::get<envelope::CrmContact>(fact->said);
    EXPECT_EQ(contact.stage, "active");
    EXPECT_EQ(contact.last, ""); // a name where a bucket belongs
    EXPECT_TRUE(contact.dnd);
    EXPECT_EQ(contact.tags, std::vector{*envelope::Word::parse("recall_due")});
    EXPECT_EQ(contact.campaigns, std::vector<std::string>{"spring-checkup"});
    EXPECT_EQ(contact.source, "web-form");
}

TEST(Webhook, LetsNoNameThroughInAnyForm) {
    const support::Search search{{"Zyxwvarabella", "Quillfeatherstone", "zyxw.quill@mailbox-canary.example",
                                  "4915730918273645", "Nebelkraehengasse"}};
    for (const auto& body : {test::contact(), appointment()}) {
        ASSERT_FALSE(search.in(body.dump()).empty());
        const auto fact = fact_of(body);
        ASSERT_TRUE(fact);
        EXPECT_TRUE(search.in(envelope::encode({std::string(32, '0'), *fact})).empty());
    }
}

TEST(Webhook, OfWhatIsMarkedAsDeletedTellsThatItWas) {
    auto body = appointment();
    body["appointment"]["deleted"] = true;
    const auto fact = fact_of(body);
    ASSERT_TRUE(fact);
    EXPECT_EQ(fact->id, "appt1");
    EXPECT_TRUE(fact->deleted());
}

TEST(Webhook, IsFlatOrUnderData) {
    json nested{{"type", "ContactUpdate"},
                {"appId", test::app},
                {"webhookId", "wh-1"},
                {"timestamp", "2026-11-21T09:59:58.000Z"},
                {"data", test::contact()}};
    const auto webhook = Webhook::read(nested.dump());
    ASSERT_TRUE(webhook);
    EXPECT_EQ(webhook->location(), test::location);
    EXPECT_EQ(fact_of(nested), fact_of(test::contact()));
}

TEST(Webhook, TellsOfAnAppointmentInWholeQuartersOutwards) {
    const auto fact = fact_of(appointment());
    ASSERT_TRUE(fact);
    const auto& booked = std::get<envelope::CrmAppointment>(fact->said);
    EXPECT_EQ(booked.status, envelope::Booking::confirmed);
    EXPECT_EQ(booked.until_quarter - booked.from_quarter, 3); // 10:00 to 10:45
    EXPECT_EQ(fact->updated_ms, sent - 1'000);
}

TEST(Webhook, TellsOfADeletionNothingElse) {
    for (const char* type : {"ContactDelete", "OpportunityDelete"}) {
        json body = test::contact();
        body["type"] = type;
        const auto fact = fact_of(body);
        ASSERT_TRUE(fact);
        EXPECT_TRUE(fact->deleted());
        EXPECT_EQ(fact->id, "contact1");
    }
    json body = appointment();
    body["type"] = "AppointmentDelete";
    EXPECT_TRUE(fact_of(body)->deleted());
}

TEST(Webhook, TellsOfAnOpportunityAndOfTheLocation) {
    json body{{"type", "OpportunityStageUpdate"}, {"id", "opp1"},
              {"contactId", "contact1"},          {"pipelineId", "pipe1"},
              {"pipelineStageId", "s1"},          {"status", "open"},
              {"name", "Quillfeatherstone"},      {"timestamp", "2026-11-21T09:59:58.000Z"}};
    const auto fact = fact_of(body);
    ASSERT_TRUE(fact);
    EXPECT_EQ(std::get<envelope::CrmOpportunity>(fact->said),
              (envelope::CrmOpportunity{"contact1", "pipe1", "s1", envelope::Case::open}));
    const auto place = fact_of({{"type", "LocationUpdate"},
                                {"id", test::location},
                                {"timezone", "Europe/Berlin"},
                                {"timestamp", "2026-11-21T09:59:58.000Z"}});
    ASSERT_TRUE(place);
    EXPECT_EQ(std::get<envelope::CrmLocation>(place->said).zone, "Europe/Berlin");
}

TEST(Webhook, IsNotToldOfOtherTypesAndIncompleteWithoutItsId) {
    for (const char* type : {"NoteCreate", "InboundMessage", "TaskCreate", "INSTALL", "", "contactupdate"}) {
        json body = test::contact();
        body["type"] = type;
        const auto fact = Webhook::read(body.dump())->fact(test::rules());
        ASSERT_TRUE(fact) << type;
        EXPECT_FALSE(*fact) << type;
    }
    for (const char* id : {"", "a b", "search", "x/../y"}) {
        json body = test::contact();
        body["id"] = id;
        EXPECT_FALSE(Webhook::read(body.dump())->fact(test::rules())) << id;
    }
}

TEST(Webhook, RefusesWhatIsNoObjectOrBeyondItsBounds) {
    for (const std::string& body :
         {std::string{}, std::string{"[]"}, std::string{"1"}, std::string{"{"}, std::string{R"({"a":1,"a":2})"},
          std::string(20, '[') + std::string(20, ']'), "{\"a\":\"" + std::string(webhook_bytes_max, 'x') + "\"}"})
        EXPECT_FALSE(Webhook::read(body)) << body.substr(0, 40);
}

} // namespace
} // namespace clinic::relay
