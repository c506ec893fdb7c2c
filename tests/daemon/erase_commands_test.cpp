// A person is erased as an operator asks for it: not without a reason and the word, and not while GHL holds something.
#include "daemon/erase_commands.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/release/clinic.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using release::Basis;
using release::testing::Clinic;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class EraseTest : public testing::Test {
protected:
    Result<control::Answer> ask(const char* command, const json& args) {
        return commands.at(command).run({.args = args, .body = {}, .asker = 7});
    }
    json erased(const json& more = json::object()) {
        json args{{"number", "1001"}, {"reason", "asked in writing"}, {"word", "erase"}};
        args.update(more);
        const auto answer = ask("erase", args);
        EXPECT_TRUE(answer) << answer.error().what.c_str();
        return answer ? *answer->data : json{};
    }
    void expect_refused(const char* command, const json& args, const char* words) {
        const auto answer = ask(command, args);
        ASSERT_FALSE(answer) << args;
        EXPECT_THAT(std::string{answer.error().what.c_str()} + "; " + answer.error().remedy.c_str(), HasSubstr(words));
        EXPECT_THAT(entries(audit::Action::erase), IsEmpty()) << args;
        EXPECT_TRUE(is_known()) << args;
    }
    std::vector<std::string> entries(audit::Action of) {
        std::vector<std::string> said;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto links = audit::Trail::links(session, 0, 500);
            CLINIC_TRY(links);
            for (const auto& link : *links)
                if (link.actor == static_cast<std::int64_t>(audit::Actor::operator_) && link.actor_id == 7 &&
                    static_cast<audit::Action>(link.action) == of)
                    said.push_back(link.detail + " " + std::to_string(link.subjects.size()));
            return {};
        }));
        return said;
    }
    bool is_known() {
        bool known = false;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto found = records::find_by_index(session, "number_any", "1001");
            CLINIC_TRY(found);
            known = !found->empty();
            return {};
        }));
        return known;
    }

    Clinic clinic;
    control::Commands commands = erase_commands(*clinic.store, clinic.releaser);
};

TEST_F(EraseTest, GhlIsEmptiedFirstAndThenTheRecordsGo) {
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather");
    clinic.add("1002", "Brack");
    clinic.deliver();
    const auto look = ask("erase-look", {{"number", "1001"}, {"reason", "asked in writing"}});
    ASSERT_TRUE(look);
    EXPECT_EQ(look->data->at("visits"), 0);
    EXPECT_EQ(look->data->dump().find("Quillfeather"), std::string::npos);

    EXPECT_EQ(erased(), (json{{"state", "waits"}}));
    EXPECT_EQ(erased({{"again", true}}), (json{{"state", "waits"}})) << "GHL has not answered";
    EXPECT_TRUE(is_known());
    EXPECT_THAT(clinic.deliver_kinds(), ElementsAre("contact.suppress"));
    EXPECT_EQ(erased({{"again", true}}), (json{{"state", "erased"}, {"left_in_ghl", false}}));
    EXPECT_FALSE(is_known());
    EXPECT_THAT(entries(audit::Action::read), ElementsAre("erase_look asked in writing 1"));
    EXPECT_THAT(entries(audit::Action::erase),
                ElementsAre("erase_begin asked in writing 1", "erase asked in writing 1"));
    const auto again = ask("erase", {{"number", "1001"}, {"reason", "asked in writing"}, {"word", "erase"}});
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::not_found);
    EXPECT_TRUE(clinic.books().balanced());
}

// By the pseudonym of somebody who was merged: shown and named is who goes, all of them.
TEST_F(EraseTest, WhoWasMergedLeadsToWhoIsLeft) {
    clinic.set_basis(Basis::baa);
    const auto survivor = clinic.add("1001", "Quillfeather"), prior = clinic.add("1002", "Quillfeather");
    clinic.deliver();
    std::string pid;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto known = outbox::Links::pid(txn, envelope::Destination::crm, prior);
        CLINIC_TRY(known);
        pid = known->text();
        return {};
    });
    clinic.merge(survivor, prior);
    clinic.deliver();
    const auto look = ask("erase-look", {{"pid", pid}, {"reason", "asked in writing"}});
    ASSERT_TRUE(look);
    const auto of_survivor = ask("erase-look", {{"number", "1001"}, {"reason", "asked in writing"}});
    ASSERT_TRUE(of_survivor);
    EXPECT_EQ(*look->data, *of_survivor->data);
    EXPECT_EQ(look->data->at("merged"), 1);
    EXPECT_THAT(entries(audit::Action::read),
                ElementsAre("erase_look asked in writing 2", "erase_look asked in writing 2"));
}

TEST_F(EraseTest, WhoWasNeverSpokenOfGoesAtOnce) {
    clinic.add("1001", "Quillfeather"); // the basis is off
    EXPECT_EQ(erased().at("state"), "erased");
    EXPECT_FALSE(is_known());
}

TEST_F(EraseTest, NotWithoutAReasonTheWordAndSomebody) {
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather");
    expect_refused("erase-look", {{"number", "1001"}}, "this needs a reason");
    expect_refused("erase", {{"number", "1001"}, {"word", "erase"}}, "this needs a reason");
    expect_refused("erase", {{"number", "1001"}, {"reason", "asked in writing"}}, "the word was not typed");
    expect_refused("erase", {{"reason", "asked in writing"}, {"word", "erase"}}, "--patient or --pid");
    expect_refused("erase", {{"number", "99"}, {"reason", "asked in writing"}, {"word", "erase"}}, "no patient has");
}

TEST_F(EraseTest, WhereNothingMayBeSentWhatGhlHoldsIsLeftOnlyByTheWord) {
    clinic.set_basis(Basis::baa);
    clinic.add("1001", "Quillfeather");
    clinic.deliver();
    clinic.set_basis(Basis::deid);
    expect_refused("erase", {{"number", "1001"}, {"reason", "asked in writing"}, {"word", "erase"}}, "--leave-in-ghl");
    EXPECT_EQ(erased({{"leave_in_ghl", true}}), (json{{"state", "erased"}, {"left_in_ghl", true}}));
    EXPECT_FALSE(is_known());
    EXPECT_THAT(entries(audit::Action::erase), ElementsAre("erase_left_in_ghl asked in writing 1"));
}

} // namespace
} // namespace clinic::daemon
