// A link that changes while a lease for the contact of before is out.
#include "daemon/crm/linking.h"
#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

using envelope::Kind;
using envelope::Outcome;
using envelope::Route;
using records::PatientId;

class RelinkedLease : public EgressServerTest {
protected:
    void seen(const std::string& id) {
        clinic.clock.advance(base::Micros{10'000});
        const auto now_ms = clinic.clock.now().micros / 1'000;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto taken = gate.reconciler().take(txn, {.id = id,
                                                            .kind = envelope::CrmKind::contact,
                                                            .updated_ms = now_ms,
                                                            .read_ms = now_ms,
                                                            .said = envelope::CrmContact{}});
            return taken ? Result<void>{} : taken.error();
        });
    }
    template <class Step>
    void person(Step step) {
        clinic.write([&](records::Transaction& txn) { return step(crm::Linking{clinic.releaser}, txn); });
    }
    void set(const std::string& contact, PatientId patient) {
        seen(contact);
        person([&](crm::Linking links, records::Transaction& txn) { return links.set(txn, contact, patient); });
    }
    void unset(PatientId patient) {
        person([&](crm::Linking links, records::Transaction& txn) { return links.unset(txn, patient); });
    }
    // From the first contact to the second.
    void merge_contacts() {
        seen("GHLsecond");
        person(
            [&](crm::Linking links, records::Transaction& txn) { return links.merge(txn, "GHLsecond", "GHLfirst"); });
    }
    // The state of somebody who is linked to the first contact, its fields on their way.
    envelope::Lease begun(const Caller& caller) {
        who = clinic.add("N1", "Quillfeather");
        set("GHLfirst", who);
        auto lease = caller.lease();
        EXPECT_EQ(lease.contact, "GHLfirst");
        EXPECT_EQ(caller.ask<envelope::Verdict>(fields(lease, "GHLfirst")).answer, Answer::go);
        return lease;
    }
    static envelope::Attempt fields(const envelope::Lease& lease, const std::string& contact) {
        return {.lease = lease.lease,
                .route = Route::contact_fields,
                .path = "/contacts/" + contact,
                .body = R"({"customFields":[{"id":"fieldstage","field_value":"archived"}]})"};
    }
    static envelope::Attempt tags(const envelope::Lease& lease, const std::string& contact) {
        return {.lease = lease.lease,
                .route = Route::tags_add,
                .path = "/contacts/" + contact + "/tags",
                .body = R"({"tags":["ce-new-patient"]})"};
    }
    // Linked to a contact that was made for them, and told all that waits.
    PatientId told(const Caller& caller, const std::string& number, const std::string& contact) {
        const auto patient = clinic.add(number, "Quillfeather");
        const auto lease = caller.lease();
        EXPECT_TRUE(lease.create);
        EXPECT_EQ(caller.ask<envelope::Verdict>(create(lease)).answer, Answer::go);
        caller.ask<envelope::Settled>(envelope::Settle{.lease = lease.lease, .contact = contact});
        return patient;
    }
    // Settles what comes before it.
    static envelope::Lease next_of(const Caller& caller, Kind kind) {
        auto lease = caller.lease();
        while (lease.envelope && lease.envelope->kind() != kind) {
            caller.ask<envelope::Settled>(envelope::Settle{.lease = lease.lease});
            lease = caller.lease();
        }
        EXPECT_TRUE(lease.envelope);
        return lease;
    }
    void expect_held(const Caller& caller, const envelope::Attempt& attempt) {
        const auto verdict = caller.ask<envelope::Verdict>(attempt);
        EXPECT_EQ(verdict.answer, Answer::hold);
        EXPECT_EQ(verdict.code, "linked");
        EXPECT_EQ(ledger().back(), "held");
        EXPECT_EQ(clinic.books().dead, 0);
        EXPECT_EQ(clinic.books().leased, 0);
    }
    PatientId who;
};

TEST_F(RelinkedLease, WhatGoesOnAtTheContactOfBeforeIsHeldAndGoesToTheOneOfNow) {
    const Caller caller{path};
    const auto lease = begun(caller);
    merge_contacts();
    expect_held(caller, tags(lease, "GHLfirst"));
    const auto next = caller.lease();
    EXPECT_EQ(next.contact, "GHLsecond");
    EXPECT_FALSE(next.prior_tags);
    EXPECT_EQ(caller.ask<envelope::Verdict>(tags(next, "GHLsecond")).answer, Answer::go);
    caller.ask<envelope::Settled>(envelope::Settle{.lease = next.lease});
    EXPECT_EQ(clinic.books().delivered, 1);
}

TEST_F(RelinkedLease, WhatTheContactOfBeforeAnswersIsStillToBeSaidToTheOneOfNow) {
    for (const auto& [outcome, code] :
         {std::pair{Outcome::delivered, ""}, {Outcome::retry, "no_contact"}, {Outcome::dead, "http_404"}}) {
        const Caller caller{path};
        who = clinic.add("N" + std::string{code}, "Quillfeather");
        const std::string first = "first" + std::string{code}, second = "second" + std::string{code};
        set(first, who);
        const auto lease = caller.lease();
        EXPECT_EQ(caller.ask<envelope::Verdict>(fields(lease, first)).answer, Answer::go);
        seen(second);
        person([&](crm::Linking links, records::Transaction& txn) { return links.merge(txn, second, first); });
        const auto delivered = clinic.books().delivered;
        EXPECT_TRUE(
            caller.ask<envelope::Settled>(envelope::Settle{.lease = lease.lease, .outcome = outcome, .code = code})
                .known);
        EXPECT_EQ(clinic.books().delivered, delivered);
        EXPECT_EQ(clinic.books().dead, 0);
        const auto next = caller.lease();
        EXPECT_EQ(next.contact, second);
        EXPECT_FALSE(next.prior_tags) << "nothing is known of what this one has";
        caller.ask<envelope::Settled>(envelope::Settle{.lease = next.lease});
        EXPECT_EQ(clinic.books().delivered, delivered + 1);
    }
}

TEST_F(RelinkedLease, WhatWasFoundForTheContactOfBeforeDoesNotTakeThePlaceOfAPersonsLink) {
    const Caller caller{path};
    const auto lease = begun(caller);
    merge_contacts();
    caller.ask<envelope::Settled>(envelope::Settle{.lease = lease.lease, .contact = "GHLfirst"});
    EXPECT_EQ(caller.lease().contact, "GHLsecond");
}

TEST_F(RelinkedLease, OfAContactThatWasUnsetNothingIsHeld) {
    const Caller caller{path};
    const auto lease = begun(caller);
    unset(who);
    expect_held(caller, tags(lease, "GHLfirst"));
    EXPECT_EQ(clinic.books().withdrawn, 1);
    EXPECT_EQ(clinic.books().pending, 0);
}

TEST_F(RelinkedLease, WhatAnUnsetContactAnswersIsSaidToTheNextOne) {
    const Caller caller{path};
    const auto lease = begun(caller);
    unset(who);
    EXPECT_TRUE(caller.ask<envelope::Settled>(envelope::Settle{.lease = lease.lease}).known);
    set("GHLsecond", who);
    const auto next = caller.lease();
    EXPECT_EQ(next.contact, "GHLsecond");
    EXPECT_FALSE(next.prior_tags);
}

// By the clinic's merge: what takes the prior back stands at a contact that is the survivor's by now.
TEST_F(RelinkedLease, ASuppressionAtAContactThatAMergeTakesOverIsHeld) {
    const Caller caller{path};
    const auto prior = told(caller, "N1", "contact1");
    clinic.consent(prior, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    const auto lease = next_of(caller, Kind::contact_suppress);
    EXPECT_EQ(caller.ask<envelope::Verdict>(fields(lease, "contact1")).answer, Answer::go);
    clinic.merge(clinic.add("N2", "Vandersloot"), prior);
    expect_held(caller, tags(lease, "contact1"));
    EXPECT_EQ(caller.lease().contact, "contact1") << "what is to be said there is the survivor's";
}

TEST_F(RelinkedLease, AMergeWhoseOldContactWasUnsetIsHeld) {
    const Caller caller{path};
    const auto prior = told(caller, "N1", "contact1"), survivor = told(caller, "N2", "contact2");
    clinic.merge(survivor, prior);
    const auto lease = next_of(caller, Kind::contact_merge);
    EXPECT_EQ(lease.old_contact, "contact1");
    EXPECT_EQ(caller.ask<envelope::Verdict>(fields(lease, "contact1")).answer, Answer::go);
    unset(prior);
    expect_held(caller, tags(lease, "contact1"));
    EXPECT_EQ(next_of(caller, Kind::contact_merge).old_contact, "contact2") << "the marker there is said again";
}

TEST_F(RelinkedLease, SomebodyElsesContactIsNoneOfBefore) {
    const Caller caller{path};
    const auto lease = begun(caller);
    const auto verdict = caller.ask<envelope::Verdict>(tags(lease, "GHLsecond"));
    EXPECT_EQ(verdict.answer, Answer::no);
    EXPECT_EQ(verdict.code, "write_set");
    EXPECT_EQ(clinic.books().dead, 1);
}

} // namespace
} // namespace clinic::egress
