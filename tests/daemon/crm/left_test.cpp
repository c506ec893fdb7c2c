// What of ours stands at a contact that is a patient's no more: it is ended there, and made once at the next one.
#include <gmock/gmock.h>

#include <map>

#include "daemon/crm/bookings.h"
#include "daemon/crm/own_cases.h"
#include "daemon/crm/repair.h"
#include "daemon/outbox/beside.h"
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {
namespace {

using outbox::Besides;
using outbox::Outbox;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* second = "GHLsecond";

class LeftAtAContact : public Crm {
protected:
    void SetUp() override {
        Crm::SetUp();
        who_ = linked("N1", lead);
        clinic.releaser.tell_cases({.told = true});
        clinic.releaser.tell_bookings({.told = true, .create = true}, find_booking);
        tomorrow_ = Timestamp{clinic.in_days(1).micros / quarter_us * quarter_us};
        clinic.book(who_, "A1", tomorrow_);
        deliver();
        take(contact(second));
        EXPECT_EQ(standing(), (Standing{{lead, 2}}));
    }

    std::optional<envelope::Lease> next(bool may_create = false) {
        std::optional<envelope::Lease> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto lease = Outbox::lease(txn, envelope::Destination::crm, may_create, std::chrono::minutes{3});
            CLINIC_TRY(lease);
            out = std::move(*lease);
            if (!out) return {};
            const auto open = Outbox::leased(txn, out->lease);
            CLINIC_TRY(open);
            const auto still = clinic.releaser.still_allowed(txn, open->front());
            CLINIC_TRY(still);
            EXPECT_FALSE(still->has_value());
            return {};
        });
        return out;
    }
    void settle(const envelope::Settle& outcome) {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto settled = Outbox::settle(txn, outcome);
            return settled ? Result<void>{} : settled.error();
        });
    }
    // All that is due, as GHL takes it. What was said of what is beside a contact: "end opp1", "make at GHLsecond".
    std::vector<std::string> deliver(bool may_create = false) {
        std::vector<std::string> out;
        while (const auto lease = next(may_create)) {
            envelope::Settle outcome{.lease = lease->lease, .contact = "", .steps = {}};
            const bool is_beside = envelope::is_beside(lease->envelope->kind());
            if (lease->create && !is_beside) outcome.contact = "GHLshell";
            if (lease->create && is_beside) {
                outcome.object = "obj" + std::to_string(++made_);
                stands_at_[outcome.object] = lease->contact;
                out.push_back("make at " + lease->contact);
            } else if (is_beside) {
                const bool ends = !envelope::wants_object(*lease->envelope);
                if (ends) stands_at_.erase(lease->object);
                out.push_back((ends ? "end " : "say ") + lease->object);
            }
            settle(outcome);
        }
        return out;
    }
    using Standing = std::map<std::string, int>; // how many stand in GHL, by contact
    Standing standing() const {
        Standing out;
        for (const auto& [object, contact] : stands_at_) ++out[contact];
        return out;
    }
    std::vector<Besides> beside() {
        std::vector<Besides> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto all = outbox::Beside::all(txn, who_);
            CLINIC_TRY(all);
            out = std::move(*all);
            return {};
        });
        return out;
    }
    void unset() {
        EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.unset(txn, who_); }), Errc{});
    }
    void set(const char* id) {
        EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.set(txn, id, who_); }), Errc{});
    }

    PatientId who_;
    Timestamp tomorrow_{};
    int made_ = 0;
    std::map<std::string, std::string> stands_at_; // GHL
};

TEST_F(LeftAtAContact, IsEndedWhenTheLinkIsEnded) {
    unset();
    EXPECT_THAT(deliver(), UnorderedElementsAre("end obj1", "end obj2"));
    EXPECT_THAT(standing(), IsEmpty());
    clinic.walk();
    EXPECT_THAT(deliver(), IsEmpty()) << "nothing is made without a contact, and nothing ended twice";
}

TEST_F(LeftAtAContact, IsEndedWhenItNeverWasTheirs) {
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.split(txn, lead, who_); }), Errc{});
    EXPECT_THAT(deliver(), UnorderedElementsAre("end obj1", "end obj2"));
}

TEST_F(LeftAtAContact, IsMadeOnceAtTheNextOne) {
    unset();
    set(second);
    EXPECT_THAT(deliver(), ElementsAre("end obj2", "end obj1", "make at GHLsecond", "make at GHLsecond"))
        << "ended before it is made anew";
    EXPECT_EQ(standing(), (Standing{{second, 2}}));
    clinic.walk();
    EXPECT_THAT(deliver(), IsEmpty());
}

TEST_F(LeftAtAContact, IsEndedWhenAnotherContactIsKept) {
    EXPECT_EQ(said_by([&](Linking links, records::Transaction& txn) { return links.merge(txn, second, lead); }),
              Errc{});
    deliver();
    EXPECT_EQ(standing(), (Standing{{second, 2}}));
}

TEST_F(LeftAtAContact, IsMadeAnewWhereTheSameContactIsLinkedAgain) {
    unset();
    deliver();
    set(lead);
    EXPECT_THAT(deliver(), ElementsAre("make at GHLcontactLead000001", "make at GHLcontactLead000001"));
    EXPECT_EQ(standing(), (Standing{{lead, 2}}));
}

TEST_F(LeftAtAContact, OfAContactThatIsGoneIsForgottenOnceGhlSaysSo) {
    clinic.write([&](records::Transaction& txn) { return crm::gone(txn, lead); });
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        Repaired so_far;
        const auto done = Repair{clinic.releaser, false}.slice(txn, Differs::gone, 0, so_far);
        return done ? Result<void>{} : done.error();
    });
    for (int i = 0; i < 2; ++i) {
        const auto lease = next();
        ASSERT_TRUE(lease);
        EXPECT_EQ(lease->contact, lead);
        settle({.lease = lease->lease,
                .outcome = envelope::Outcome::retry,
                .code = "no_object",
                .contact = "",
                .steps = {}});
    }
    stands_at_.clear(); // it took them with it
    EXPECT_EQ(std::ranges::count_if(beside(), &Besides::is_left), 0);
    set(second);
    EXPECT_THAT(deliver(), ElementsAre("make at GHLsecond", "make at GHLsecond"));
}

TEST_F(LeftAtAContact, ACreateWithoutAnAnswerIsLookedForAtTheContactThatWasTheirs) {
    clinic.book(who_, "A2", tomorrow_ + base::Micros{8 * quarter_us});
    const auto making = next();
    ASSERT_TRUE(making && making->create);
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto line = outbox::Ledger::open_line(
            txn, who_, {making->lease, envelope::Route::booking_create, "/calendars/events/appointments", "{}"},
            "open");
        return line ? Result<void>{} : line.error();
    });
    unset();
    set(second); // while it is under way
    clinic.write([&](records::Transaction& txn) { return Outbox::release_leases(txn, making->lease); });
    bool found = false;
    std::vector<std::string> made;
    while (const auto lease = next()) {
        envelope::Settle outcome{.lease = lease->lease, .contact = "", .steps = {}};
        if (lease->look_up_first) {
            EXPECT_EQ(lease->contact, lead);
            EXPECT_FALSE(lease->create);
            outcome.outcome = envelope::Outcome::retry;
            outcome.code = "adopted";
            outcome.object = "objfound";
        } else if (lease->object == "objfound") {
            found = !envelope::wants_object(*lease->envelope);
        } else if (lease->create) {
            made.push_back(lease->contact);
            outcome.object = "new" + std::to_string(made.size());
        }
        settle(outcome);
    }
    EXPECT_TRUE(found) << "it is called off once it is found";
    EXPECT_THAT(made, ElementsAre(second, second, second));
}

TEST_F(LeftAtAContact, AVisitThatWasStaysAsItWasTold) {
    clinic.clock.advance(release::testing::one_day * 3);
    unset();
    EXPECT_THAT(deliver(), ElementsAre("end obj1")) << "the case alone";
}

TEST_F(LeftAtAContact, ThatIsNotEndedYetIsWaitedForBeforeAPersonIsErased) {
    unset();
    EXPECT_EQ(clinic.take_back(who_), release::TakenBack::waits);
    EXPECT_THAT(deliver(), UnorderedElementsAre("end obj1", "end obj2"));
    EXPECT_EQ(clinic.take_back(who_), release::TakenBack::done);
}

TEST_F(LeftAtAContact, IsEndedByTheDailyJobWhereItsEndWasGivenUp) {
    unset();
    while (const auto lease = next())
        clinic.write([&](records::Transaction& txn) { return Outbox::kill(txn, lease->lease, "http_400"); });
    clinic.walk();
    EXPECT_THAT(deliver(), IsEmpty()) << "a person decides about dead letters";
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        const auto discarded = Outbox::discard_dead_before(txn, txn.now() + release::testing::one_day, 10);
        return discarded ? Result<void>{} : discarded.error();
    });
    clinic.walk();
    EXPECT_THAT(deliver(), UnorderedElementsAre("end obj1", "end obj2"));
}

TEST_F(LeftAtAContact, GoesAlongWithAMergeOfTheirs) {
    const auto other = clinic.add("N2", "Quillfeather");
    unset();
    clinic.merge(other, who_);
    EXPECT_THAT(deliver(), UnorderedElementsAre("end obj1", "end obj2"));
}

// The contact is somebody else's, and so is what GHL's people do with it.
TEST_F(LeftAtAContact, IsLetGoOnceItIsEnded) {
    options.pipeline = {"PIPELINE1", {"", "STAGENEW1", "", "", "", "", "STAGECLOSED1"}};
    reconciler.emplace(options, clinic.releaser);
    unset();
    deliver();
    clinic.clock.advance(std::chrono::hours{3});
    auto reopened = contact("obj1");
    reopened.kind = envelope::CrmKind::opportunity;
    reopened.said = envelope::CrmOpportunity{.contact = lead, .pipeline = "PIPELINE1", .stage = "STAGENEW1"};
    take(reopened);
    EXPECT_THAT(deliver(), IsEmpty());
}

TEST_F(LeftAtAContact, IsNotTakenForAPersonsWordWhenGhlShowsItsEnd) {
    unset();
    deliver();
    auto shown = booking("obj2", tomorrow_, envelope::Booking::cancelled, lead);
    take(shown);
    take(gone_booking("obj2"));
    round();
    EXPECT_THAT(open(), IsEmpty());
}

} // namespace
} // namespace clinic::crm
