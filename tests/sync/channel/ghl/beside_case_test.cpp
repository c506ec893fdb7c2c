// A patient's opportunity in an emulated GHL: opened, moved and ended, and every way that leaves it unknown whether it
// was.
#include "sync/channel/ghl/beside_run.h"
#include "tests/sync/channel/ghl/beside_fixture.h"
#include "tests/sync/channel/ghl/leases.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using emulator::Json;
using envelope::Case;
using envelope::Field;
using envelope::Outcome;
using envelope::Stage;
using Step = envelope::StepOutcome::Result;

class OpportunityOfAPatient : public BesideAContactInGhl {
protected:
    void SetUp() override {
        BesideAContactInGhl::SetUp();
        rules_.pipeline.id = emulator::pipeline_id;
        rules_.pipeline.stages = {"", emulator::stage_ids[0], emulator::stage_ids[1], "", "",
                                  "", emulator::stage_ids[3]};
    }

    envelope::Lease lease(Stage stage, Case outcome) {
        auto out = begun(envelope::Kind::case_state, pid_);
        out.put(Field::stage, stage).put(Field::outcome, outcome);
        envelope::Lease lease{.lease = 11, .envelope = std::move(out), .contact = contact_, .object = object_};
        lease.create = object_.empty() && outcome == Case::open;
        return lease;
    }
    void open() { ASSERT_EQ(deliver(lease(Stage::new_, Case::open)).settle.outcome, Outcome::delivered); }
    Json opportunities() { return state()["opportunities"]; }
    // As a person in GHL makes one.
    std::string strangers(const std::string& contact, const std::string& name) {
        return json(send("POST", "/opportunities/",
                         {{"pipelineId", emulator::pipeline_id},
                          {"locationId", emulator::location},
                          {"name", name},
                          {"status", "open"},
                          {"contactId", contact}}))["opportunity"]["id"];
    }

    envelope::Pseudonym pid_ = envelope::Pseudonym::random('p');
};

TEST_F(OpportunityOfAPatient, IsOpenedMovedAndEndedByOneRequestEach) {
    open();
    EXPECT_EQ(gate_.routes, Routes{Route::case_create});
    auto held = opportunities();
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(held[0]["id"], object_);
    EXPECT_EQ(held[0]["name"], pid_.text());
    EXPECT_EQ(held[0]["contactId"], contact_);
    EXPECT_EQ(held[0]["status"], "open");
    EXPECT_EQ(held[0]["pipelineStageId"], emulator::stage_ids[0]);
    EXPECT_EQ(deliver(lease(Stage::active, Case::open)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Routes{Route::case_update});
    EXPECT_EQ(opportunities()[0]["pipelineStageId"], emulator::stage_ids[1]);
    EXPECT_EQ(deliver(lease(Stage::lapsed, Case::open)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(opportunities()[0]["pipelineStageId"], emulator::stage_ids[1]) << "a word without a stage moves nothing";
    EXPECT_EQ(deliver(lease(Stage::archived, Case::abandoned)).settle.outcome, Outcome::delivered);
    held = opportunities();
    EXPECT_EQ(held[0]["status"], "abandoned");
    EXPECT_EQ(held[0]["pipelineStageId"], emulator::stage_ids[3]);
    EXPECT_EQ(held.size(), 1U);
}

TEST_F(OpportunityOfAPatient, IsTheSameInTheOtherGenerationOfTheApi) {
    speak(Module::opportunities, "v3");
    fault("timeout-after-effect");
    EXPECT_EQ(deliver(lease(Stage::new_, Case::open)).settle.outcome, Outcome::retry);
    clock.advance(1s);
    EXPECT_EQ(deliver(unsure(lease(Stage::new_, Case::open), 1'000)).settle.code, "adopted");
    EXPECT_EQ(deliver(lease(Stage::active, Case::open)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(opportunities().size(), 1U);
}

struct Unknown {
    const char *fault, *code;
    Step step;
};

TEST_F(OpportunityOfAPatient, ThatMayHaveBeenOpenedIsFoundByItsMarkerAndNeverOpenedTwice) {
    for (const auto& [what, code, step] : {Unknown{"timeout-after-effect", "timeout", Step::unknown},
                                           Unknown{"422-but-created", "http_422", Step::answered}}) {
        contact_ = create();
        object_.clear();
        const auto before = opportunities().size();
        fault(what);
        const auto lost = deliver(lease(Stage::new_, Case::open));
        EXPECT_EQ(lost.settle.outcome, Outcome::retry);
        EXPECT_EQ(lost.settle.code, code);
        ASSERT_EQ(lost.settle.steps.size(), 1U);
        EXPECT_EQ(lost.settle.steps[0].result, step);
        EXPECT_EQ(object_, "");
        // The index does not show it yet: that proves nothing.
        const auto early = deliver(unsure(lease(Stage::new_, Case::open), 60'000));
        EXPECT_EQ(early.settle.code, "look_up_wait");
        EXPECT_EQ(gate_.routes, Routes{Route::case_search});
        clock.advance(300ms);
        const auto found = deliver(unsure(lease(Stage::new_, Case::open), 59'700));
        EXPECT_EQ(found.settle.code, "adopted");
        EXPECT_EQ(found.settle.retry_after_ms, 0);
        EXPECT_EQ(opportunities().size(), before + 1);
        EXPECT_EQ(opportunities()[before]["id"], object_);
    }
}

TEST_F(OpportunityOfAPatient, IsOpenedOnceItIsSureThatNoneWas) {
    const auto sure = deliver(unsure(lease(Stage::new_, Case::open), 0));
    EXPECT_EQ(sure.settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, (Routes{Route::case_search, Route::case_create}));
    object_.clear();
    contact_ = create();
    const auto none = deliver(unsure(lease(Stage::archived, Case::abandoned), 0));
    EXPECT_EQ(none.settle.code, "no_object") << "what is to end was never made";
    EXPECT_EQ(gate_.routes, Routes{Route::case_search});
}

TEST_F(OpportunityOfAPatient, IsNotAStrangersOfTheSameContactNorOurOwnNameAtAnother) {
    const auto theirs = strangers(contact_, "Spring campaign");
    const auto elsewhere = strangers(create(), pid_.text());
    clock.advance(1s);
    for (int tries = 0; tries < 2; ++tries) {
        const auto out = deliver(unsure(lease(Stage::new_, Case::open), 0));
        EXPECT_EQ(out.settle.code, "object_taken");
        EXPECT_TRUE(out.settle.counts_against);
        EXPECT_EQ(gate_.routes, (Routes{Route::case_search, Route::case_create, Route::case_search}));
        EXPECT_EQ(object_, "");
    }
    for (const auto& one : opportunities()) EXPECT_EQ(one["status"], "open");
    ASSERT_EQ(opportunities().size(), 2U);
    EXPECT_EQ(opportunities()[0]["id"], theirs);
    EXPECT_EQ(opportunities()[1]["id"], elsewhere);
}

TEST_F(OpportunityOfAPatient, OfOursThatGhlCallsADuplicateIsAdopted) {
    const auto ours = strangers(contact_, pid_.text());
    clock.advance(1s);
    const auto out = deliver(lease(Stage::active, Case::open));
    EXPECT_EQ(out.settle.code, "adopted");
    EXPECT_FALSE(out.settle.counts_against);
    EXPECT_EQ(object_, ours);
}

TEST_F(OpportunityOfAPatient, ThatPeopleInGhlDeletedIsForAPersonUnlessItIsToEnd) {
    object_ = "deleted1";
    auto out = deliver(lease(Stage::active, Case::open));
    EXPECT_EQ(out.settle.code, "object_gone");
    EXPECT_TRUE(out.settle.counts_against);
    out = deliver(unsure(lease(Stage::active, Case::open), 0));
    EXPECT_EQ(out.settle.code, "object_gone");
    EXPECT_TRUE(out.settle.counts_against);
    EXPECT_EQ(gate_.routes, (Routes{Route::case_search, Route::case_update})) << "and none is opened";
    out = deliver(lease(Stage::archived, Case::abandoned));
    EXPECT_EQ(out.settle.code, "object_gone");
    out = deliver(unsure(lease(Stage::archived, Case::abandoned), 0));
    EXPECT_EQ(out.settle.code, "no_object");
    EXPECT_FALSE(out.settle.counts_against);
    EXPECT_TRUE(opportunities().empty());
}

TEST_F(OpportunityOfAPatient, WhoseIdIsGoneIsTheOtherOneThatCarriesOurMarker) {
    object_ = "deleted1";
    const auto ours = strangers(contact_, pid_.text());
    clock.advance(1s);
    const auto out = deliver(unsure(lease(Stage::active, Case::open), 0));
    EXPECT_EQ(out.settle.code, "adopted");
    EXPECT_EQ(object_, ours);
}

TEST_F(OpportunityOfAPatient, IsWrittenDownAndNotSentInADryRun) {
    gate_.answer = envelope::Answer::dry;
    EXPECT_EQ(deliver(lease(Stage::new_, Case::open)).settle.outcome, Outcome::delivered);
    EXPECT_EQ(gate_.routes, Routes{Route::case_create});
    EXPECT_TRUE(opportunities().empty());
    EXPECT_EQ(deliver(unsure(lease(Stage::archived, Case::abandoned), 0)).settle.outcome, Outcome::delivered)
        << "nobody has looked, so nothing is known not to be there";
    EXPECT_EQ(gate_.routes, Routes{Route::case_search});
}

TEST_F(OpportunityOfAPatient, ThatTheKeyMayNotWriteClosesTheLaneForNobodyElse) {
    for (const auto& [fault_name, code] : {std::pair{"scope-lost", "scope"}, std::pair{"forbidden", "forbidden"}}) {
        fault(fault_name);
        const auto out = deliver(lease(Stage::new_, Case::open));
        EXPECT_FALSE(out.fault) << code;
        EXPECT_EQ(out.settle.outcome, Outcome::retry);
        EXPECT_EQ(out.settle.code, code);
        EXPECT_EQ(out.settle.retry_after_ms, 300'000) << code;
        EXPECT_FALSE(out.settle.counts_against) << code;
    }
    open();
}

TEST_F(OpportunityOfAPatient, WhoseStageIsRefusedIsThereStill) {
    open();
    clock.advance(1s);
    rules_.pipeline.stages[static_cast<std::size_t>(Stage::active)] = "S-gone";
    const auto out = deliver(unsure(lease(Stage::active, Case::open), 0));
    EXPECT_EQ(gate_.routes, (Routes{Route::case_search, Route::case_update}));
    EXPECT_EQ(out.settle.code, "http_400") << "and not that it was deleted";
    EXPECT_TRUE(out.settle.counts_against);
}

} // namespace
} // namespace clinic::ghl
