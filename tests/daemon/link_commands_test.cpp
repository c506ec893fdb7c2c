// Whose contact is whose, as clinicctl says it: with a reason, in the audit chain, and no name without one.
#include "daemon/link_commands.h"

#include <nlohmann/json.hpp>

#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::daemon {
namespace {

using crm::Crm;
using nlohmann::json;

class LinkCommands : public Crm {
protected:
    Result<control::Answer> ask(const char* command, const json& args) {
        return commands.at(command).run({.args = args, .body = {}, .asker = 1'000});
    }
    json data(const char* command, const json& args) {
        const auto answer = ask(command, args);
        EXPECT_TRUE(answer) << command << ": " << (answer ? "" : answer.error().what.c_str());
        return answer ? *answer->data : json{};
    }
    control::Commands commands = link_commands(*clinic.store, clinic.releaser);
};

TEST_F(LinkCommands, AChoiceIsListedShownAndMade) {
    clinic.add("N1", "Quillfeather");
    clinic.add("N2", "Quillfeather");
    take(contact(lead));
    EXPECT_EQ(match(lead, "+15550102030"), envelope::Match::choice);
    EXPECT_EQ(data("link-list", json::object()).at("choices").at(0).at("may_be"), 2);
    EXPECT_EQ(ask("link-list", json::object())->exit, 1);

    const auto shown = data("link-show", {{"contact", lead}});
    EXPECT_EQ(shown.at("patients").size(), 2U);
    EXPECT_EQ(shown.dump().find("Quillfeather"), std::string::npos);
    EXPECT_FALSE(ask("link-show", {{"contact", lead}, {"reveal", true}})) << "names need a reason";
    const auto entries = clinic.audit_entries();
    const auto revealed = data("link-show", {{"contact", lead}, {"reveal", true}, {"reason", "who called"}});
    EXPECT_EQ(revealed.at("patients").at(0).at("family"), "Quillfeather");
    EXPECT_EQ(clinic.audit_entries(), entries + 1);

    const std::string patient = shown.at("patients").at(0).at("patient");
    EXPECT_FALSE(ask("link-set", {{"contact", lead}, {"patient", patient}})) << "a change needs one too";
    data("link-set", {{"contact", lead}, {"patient", patient}, {"reason", "she said so"}});
    EXPECT_EQ(data("link-show", {{"contact", lead}}).at("state"), "linked");
    EXPECT_EQ(ask("link-list", json::object())->exit, 0);
    data("link-unset", {{"patient", patient}, {"reason", "it was her sister"}});
    EXPECT_EQ(data("link-show", {{"contact", lead}}).at("state"), "not linked");
}

TEST_F(LinkCommands, WhatIsNotUnderstoodChangesNothing) {
    const auto entries = clinic.audit_entries();
    const json why{{"reason", "a reason"}};
    for (const auto& [command, args] : std::vector<std::pair<const char*, json>>{
             {"link-set", {{"contact", lead}, {"patient", "Anna"}, {"reason", "a reason"}}},
             {"link-unset", {{"patient", "00000000-0000-7000-8000-000000000000"}, {"reason", "a reason"}}},
             {"link-split",
              {{"contact", "GHLunseen"}, {"patient", "00000000-0000-7000-8000-000000000000"}, {"reason", "a reason"}}},
             {"link-merge", {{"contact", "GHLunseen"}, {"other", lead}, {"reason", "a reason"}}},
             {"link-settle", {{"number", 7}, {"winner", "clinic"}, {"reason", "a reason"}}},
             {"link-settle", {{"number", 7}, {"winner", "nobody"}, {"reason", "a reason"}}},
             {"link-show", {{"contact", "GHLunseen"}}}})
        EXPECT_FALSE(ask(command, args)) << command << args;
    EXPECT_EQ(clinic.audit_entries(), entries);
}

TEST_F(LinkCommands, ADifferenceIsSettledByAPerson) {
    linked("N1", lead);
    take(gone(lead));
    const auto listed = data("link-list", json::object()).at("conflicts");
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].at("field"), "contact_deleted");
    data("link-settle", {{"number", listed[0].at("number")}, {"winner", "ghl"}, {"reason", "it was on purpose"}});
    EXPECT_TRUE(data("link-list", json::object()).at("conflicts").empty());
}

} // namespace
} // namespace clinic::daemon
