#include "sync/channel/ghl/plan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/sync/channel/ghl/leases.h"

namespace clinic::ghl {
namespace {

using envelope::Bucket;
using envelope::Field;
using envelope::Grant;
using envelope::Kind;
using envelope::Reason;
using envelope::Scope;
using envelope::Stage;
using nlohmann::json;

// "fields: stage=active …" or "+ce-a,ce-b" or "-ce-a": a request in one readable line.
std::string line(const Call& call) {
    std::string out = std::string{envelope::method(call.route)} + " " + call.path;
    const auto body = json::parse(call.body);
    for (const auto& field : body.value("customFields", json::array()))
        out += " " + field["id"].get<std::string>() + "=" + field["field_value"].get<std::string>();
    if (body.value("dnd", false)) out += " dnd";
    for (const auto& tag : body.value("tags", json::array())) out += " " + tag.get<std::string>();
    return out;
}

std::vector<std::string> lines(const envelope::Lease& lease) {
    std::vector<std::string> out;
    for (const auto& call : writes(rules(), lease, lease.contact)) {
        EXPECT_TRUE(envelope::check_request(rules(), call.route, call.path, call.body)) << call.path << call.body;
        out.push_back(line(call));
    }
    return out;
}

using Lines = std::vector<std::string>;

TEST(Plan, AContactStateBecomesFieldsAndTagsAndDropsTheTagsThatWereOurs) {
    auto lease = contact_state({"recall_due", "review_ok"});
    lease.prior_tags = words({"returning", "review_ok"});
    EXPECT_EQ(lines(lease), (Lines{"PUT /contacts/c1 fStage=recall_due fLast=past fNext=none",
                                   "POST /contacts/c1/tags ce-recall-due", "DELETE /contacts/c1/tags ce-returning"}));
}

TEST(Plan, TagsThatGhlHoldsFromUsAreNotAddedAgain) {
    auto lease = contact_state({"recall_due", "returning"});
    lease.prior_tags = words({"returning", "recall_due"});
    EXPECT_EQ(lines(lease).size(), 1U) << "the fields alone";
    lease.prior_tags = words({"returning"});
    EXPECT_EQ(lines(lease).back(), "POST /contacts/c1/tags ce-recall-due");
}

TEST(Plan, TagsThatAreNotKnownAreClearedByTheRestOfTheVocabulary) {
    auto lease = contact_state({"new_patient"});
    const std::string cleared =
        "DELETE /contacts/c1/tags ce-returning ce-recall-due ce-lapsed-12m ce-forms-pending ce-review-ok "
        "ce-referral-ok";
    EXPECT_EQ(lines(lease)[2], cleared) << "a do-not-contact that we never set is somebody's word over there";
    lease.may_lift = true;
    EXPECT_EQ(lines(lease)[2], cleared + " ce-do-not-contact");
}

TEST(Plan, NoTagsMeansNoTagRequest) {
    auto lease = contact_state({});
    lease.prior_tags = Tags{};
    EXPECT_EQ(lines(lease), (Lines{"PUT /contacts/c1 fStage=recall_due fLast=past fNext=none"}));
}

TEST(Plan, AnAppointmentBecomesTwoFields) {
    EXPECT_EQ(lines(appt_state()), (Lines{"PUT /contacts/c1 fStatus=confirmed fWhen=d3_7"}));
}

TEST(Plan, BothStatesOfASubjectAreOneWrite) {
    auto lease = both_states({"returning"});
    lease.prior_tags = words({"returning"});
    EXPECT_EQ(lines(lease),
              (Lines{"PUT /contacts/c1 fStage=recall_due fLast=past fNext=none fStatus=confirmed fWhen=d3_7"}));
    lease.prior_tags = words({"recall_due"});
    std::swap(lease.envelope, lease.also);
    EXPECT_EQ(lines(lease),
              (Lines{"PUT /contacts/c1 fStatus=confirmed fWhen=d3_7 fStage=recall_due fLast=past fNext=none",
                     "POST /contacts/c1/tags ce-returning", "DELETE /contacts/c1/tags ce-recall-due"}));
    EXPECT_EQ(expected(rules(), lease).fields.size(), 5U);
    const auto made = shell(rules(), to_create(lease));
    EXPECT_TRUE(envelope::check_request(rules(), made.route, made.path, made.body));
    EXPECT_EQ(json::parse(made.body).at("customFields").size(), 6U) << "with the marker";
}

TEST(Plan, ConsentsBecomeTags) {
    EXPECT_EQ(lines(consent_state(Scope::reminders, Grant::revoked)),
              (Lines{"POST /contacts/c1/tags ce-do-not-contact"}));
    EXPECT_EQ(lines(consent_state(Scope::reminders, Grant::expired)),
              (Lines{"POST /contacts/c1/tags ce-do-not-contact"}));
    EXPECT_EQ(lines(consent_state(Scope::reminders, Grant::granted)),
              (Lines{"DELETE /contacts/c1/tags ce-do-not-contact"}));
    EXPECT_EQ(lines(consent_state(Scope::marketing, Grant::granted)),
              (Lines{"POST /contacts/c1/tags ce-review-ok ce-referral-ok"}));
    EXPECT_EQ(lines(consent_state(Scope::marketing, Grant::revoked)),
              (Lines{"DELETE /contacts/c1/tags ce-review-ok ce-referral-ok"}));
    EXPECT_EQ(lines(consent_state(Scope::marketing, Grant::expired)),
              (Lines{"DELETE /contacts/c1/tags ce-review-ok ce-referral-ok"}));
    EXPECT_EQ(lines(consent_state(Scope::crm_sync, Grant::granted)), Lines{});
}

TEST(Plan, ASuppressionEmptiesEverythingOfOursAndSaysDoNotContact) {
    EXPECT_EQ(lines(suppress()),
              (Lines{"PUT /contacts/c1 fStage=archived fLast=none fNext=none fStatus=none fWhen=none dnd",
                     "POST /contacts/c1/tags ce-do-not-contact",
                     "DELETE /contacts/c1/tags ce-new-patient ce-returning ce-recall-due ce-lapsed-12m "
                     "ce-forms-pending ce-review-ok ce-referral-ok"}));
}

TEST(Plan, AMergeArchivesTheOldContact) {
    const auto old = lines(merge("c1", "c0"));
    ASSERT_EQ(old.size(), 2U);
    EXPECT_EQ(old[0], "PUT /contacts/c0 fStage=archived fLast=none fNext=none fStatus=none fWhen=none dnd");
    EXPECT_TRUE(old[1].starts_with("DELETE /contacts/c0/tags ce-new-patient ce-returning"));
    EXPECT_TRUE(old[1].ends_with("ce-do-not-contact"));
}

TEST(Plan, AMergeWhoseLinkMovedGivesTheContactTheSurvivorsMarker) {
    const auto lease = merge("c0", "c0");
    EXPECT_EQ(lines(lease), (Lines{"PUT /contacts/c0 fPid=" + std::string{lease.envelope->text(Field::pid)}}));
}

TEST(Plan, AMergeOfSomebodyUnknownThereIsNothing) {
    EXPECT_EQ(lines(merge("c1", "")), Lines{});
}

TEST(Plan, AShellIsOneRequestWithMarkerFlagTagsAndFields) {
    const auto lease = contact_state({"new_patient"});
    const auto call = shell(rules(), lease);
    ASSERT_TRUE(envelope::check_request(rules(), call.route, call.path, call.body));
    const std::string pid{lease.envelope->text(Field::pid)};
    const json expected{{"locationId", "loc1"},
                        {"firstName", pid},
                        {"source", "clinic-edge"},
                        {"dnd", true},
                        {"tags", {"ce-new-patient"}},
                        {"customFields",
                         {{{"id", "fPid"}, {"field_value", pid}},
                          {{"id", "fStage"}, {"field_value", "recall_due"}},
                          {{"id", "fLast"}, {"field_value", "past"}},
                          {{"id", "fNext"}, {"field_value", "none"}}}}};
    EXPECT_EQ(json::parse(call.body), expected);
    EXPECT_EQ(call.path, "/contacts/");
}

TEST(Plan, OnlyStatesMakeContacts) {
    EXPECT_TRUE(may_create(Kind::contact_state));
    EXPECT_TRUE(may_create(Kind::appt_state));
    EXPECT_FALSE(may_create(Kind::contact_suppress));
    EXPECT_FALSE(may_create(Kind::contact_merge));
}

TEST(Requests, ALookUpNamesOurMarkerAndNothingElse) {
    const auto lease = contact_state({});
    const auto call = search_marker(rules(), lease.envelope->text(Field::pid));
    EXPECT_TRUE(envelope::check_request(rules(), call.route, call.path, call.body));
    EXPECT_EQ(json::parse(call.body)["filters"],
              json::array({{{"field", "customFields.fPid"},
                            {"operator", "eq"},
                            {"value", std::string{lease.envelope->text(Field::pid)}}}}));
}

TEST(Requests, TheProbeReadsTheLocation) {
    const auto call = read_location(rules());
    EXPECT_EQ(call, (Call{Route::location_read, "/locations/loc1", ""}));
    EXPECT_TRUE(envelope::check_request(rules(), call.route, call.path, call.body));
}

} // namespace
} // namespace clinic::ghl
