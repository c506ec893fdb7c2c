// What the channel makes of GHL's reported quirks: each by its name in docs/emulator.md.
#include <gmock/gmock.h>

#include "tests/sync/channel/ghl/beside_fixture.h"
#include "tests/sync/channel/ghl/leases.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using envelope::LaneState;
using envelope::Outcome;
using testing::ElementsAre;

class Quirks : public BesideAContactInGhl {
protected:
    envelope::Lease state() {
        auto lease = contact_state({});
        lease.contact = contact_;
        return lease;
    }
    static std::string pid(const envelope::Lease& lease) {
        return std::string{lease.envelope->text(envelope::Field::pid)};
    }
    // Contacts in GHL with that marker.
    std::vector<std::string> marked(const std::string& pid) {
        std::vector<std::string> out;
        const auto held = GhlEmulator::state();
        for (const auto& one : held["contacts"])
            if (one["fields"].value("ce_pid", "") == pid) out.push_back(one["id"]);
        return out;
    }
    void knob(const char* name, int value) {
        client->post("/_faults", emulator::Json{{"knob", name}, {"value", value}}.dump());
    }
    // The create went out and what it did is not known: found, it is the contact's, and there is one.
    void expect_found_and_not_made_again(envelope::Lease lease) {
        clock.advance(300ms); // the index lags
        const auto out = deliver(unsure(lease, 0));
        EXPECT_EQ(out.settle.code, "adopted");
        EXPECT_THAT(marked(pid(lease)), ElementsAre(out.settle.contact));
        EXPECT_THAT(gate_.routes, ElementsAre(Route::contact_search));
    }
};

TEST_F(Quirks, WhatIsContendedIsTriedAgainAndCountsAgainstNobody) {
    for (const char* code : {"http_408", "http_409", "http_423", "http_425"}) {
        fault("contended");
        const auto out = deliver(state());
        EXPECT_EQ(out.settle.outcome, Outcome::retry) << code;
        EXPECT_EQ(out.settle.code, code);
        EXPECT_FALSE(out.settle.counts_against) << code;
        ASSERT_TRUE(out.fault) << code;
        EXPECT_EQ(out.fault->state, LaneState::paused) << code;
        EXPECT_EQ(deliver(state()).settle.outcome, Outcome::delivered) << code;
    }
}

TEST_F(Quirks, ACreateThatIsCalledTooSlowIsLookedForAndNotMadeAgain) {
    const auto lease = to_create(contact_state({}));
    fault("408-after-effect");
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.code, "http_408");
    EXPECT_TRUE(out.settle.contact.empty());
    expect_found_and_not_made_again(lease);
}

TEST_F(Quirks, ARefusalUntilADateIsWaitedOut) {
    client->post("/_faults", R"({"knob":"retry_after_s","value":95})");
    fault("dated-429");
    const auto out = deliver(state());
    EXPECT_EQ(out.settle.code, "throttled");
    ASSERT_TRUE(out.fault);
    EXPECT_EQ(out.fault->not_before, 95s);
    EXPECT_GE(out.settle.retry_after_ms, 95'000);
}

TEST_F(Quirks, AnAnswerIsAskedForAsItIs) {
    knob("gzip", 1);
    EXPECT_EQ(deliver(state()).settle.outcome, Outcome::delivered);
    const auto lease = to_create(contact_state({}));
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.outcome, Outcome::delivered);
    EXPECT_THAT(marked(pid(lease)), ElementsAre(out.settle.contact));
}

TEST_F(Quirks, ACreateWhoseAnswerCannotBeReadIsLookedForAndNotMadeAgain) {
    const auto lease = to_create(contact_state({}));
    fault("gzip-unasked");
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.code, "not_json");
    EXPECT_FALSE(out.settle.counts_against);
    expect_found_and_not_made_again(lease);
}

TEST_F(Quirks, AStrangerThatIsCalledOurDuplicateIsNotTouched) {
    const auto before = GhlEmulator::state()["contacts"];
    fault("duplicate-400");
    const auto out = deliver(to_create(contact_state({"recall_due"})));
    EXPECT_EQ(out.settle.code, "duplicate");
    EXPECT_TRUE(out.settle.counts_against);
    EXPECT_TRUE(out.settle.contact.empty());
    EXPECT_EQ(GhlEmulator::state()["contacts"], before);
}

TEST_F(Quirks, OurOwnShellThatIsCalledADuplicateIsAdopted) {
    const auto lease = to_create(contact_state({}));
    fault("422-but-created");
    EXPECT_EQ(deliver(lease).settle.code, "http_422");
    clock.advance(300ms);
    fault("duplicate-400");
    const auto out = deliver(lease);
    EXPECT_EQ(out.settle.code, "adopted");
    EXPECT_THAT(marked(pid(lease)), ElementsAre(out.settle.contact));
}

TEST_F(Quirks, AShellThatGhlShowsAsDeletedIsNotAdopted) {
    const auto lease = to_create(contact_state({}));
    const auto made = deliver(lease).settle.contact;
    knob("shows_deleted", 1);
    EXPECT_EQ(send("DELETE", "/contacts/" + made).status, 200);
    clock.advance(300ms);
    const auto out = deliver(unsure(lease, 0));
    EXPECT_EQ(out.settle.outcome, Outcome::delivered);
    EXPECT_NE(out.settle.contact, made);
    EXPECT_THAT(gate_.routes, ElementsAre(Route::contact_search, Route::contact_create));
}

} // namespace
} // namespace clinic::ghl
