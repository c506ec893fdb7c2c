// Who goes first: urgency, the share of what is fresh beside a backlog, and always the order of a subject.
#include <map>

#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

class Turns : public OutboxTest {
protected:
    PatientId linked(const std::string& number) {
        const auto who = patient(number);
        link(who, "c" + number);
        return who;
    }
    std::int64_t leased_by(Turn turn) {
        const auto got =
            in([&](Transaction& txn) { return Outbox::lease(txn, Destination::crm, true, unsure_for, turn); });
        return got ? got->lease : 0;
    }
    std::int64_t push_consent(PatientId who) {
        return push(who, [&](Transaction& txn) { return consent_state(txn, who, envelope::Scope::reminders); });
    }
    static constexpr Turn fresh{.oldest_first = false}, oldest{.oldest_first = true};
};

TEST_F(Turns, SuppressionsAndConsentsComeBeforeAllThatIsOlder) {
    const auto one = linked("1"), two = linked("2"), three = linked("3");
    const auto state = push_contact(one);
    clock_.advance(seconds{1});
    const auto suppression = push_suppress(two);
    clock_.advance(seconds{1});
    const auto consent = push_consent(three);
    for (const auto wanted : {suppression, consent, state}) EXPECT_EQ(leased_by(oldest), wanted);
}

TEST_F(Turns, AnUrgentOneBringsItsSubjectsTurnAndTheOlderGoesFirst) {
    const auto one = linked("1"), two = linked("2");
    const auto other = push_contact(one);
    const auto state = push_contact(two);
    const auto consent = push_consent(two);
    EXPECT_EQ(leased_by(oldest), state);
    EXPECT_EQ(leased_by(oldest), other) << "one open lease a subject";
    deliver(state);
    EXPECT_EQ(leased_by(oldest), consent);
}

TEST_F(Turns, AnUrgentOneThatIsPutOffHoldsNobodyUp) {
    const auto one = linked("1"), two = linked("2");
    push_suppress(one);
    retry(leased(), 60'000);
    const auto state = push_contact(two);
    EXPECT_EQ(leased_by(oldest), state);
}

TEST_F(Turns, WithoutABacklogTheOldestGoesFirst) {
    const auto one = linked("1"), two = linked("2");
    const auto first = push_contact(one);
    clock_.advance(seconds{10});
    push_contact(two);
    EXPECT_EQ(leased_by(fresh), first);
}

TEST_F(Turns, BesideABacklogWhatIsFreshHasItsTurns) {
    const auto one = linked("1"), two = linked("2"), three = linked("3"), four = linked("4");
    const auto old = push_contact(one), older = push_contact(two);
    clock_.advance(std::chrono::hours{24 * 7});
    const auto new_one = push_contact(three);
    clock_.advance(seconds{1});
    const auto newest = push_contact(four);
    EXPECT_EQ(leased_by(fresh), newest);
    EXPECT_EQ(leased_by(oldest), old);
    EXPECT_EQ(leased_by(fresh), new_one);
    EXPECT_EQ(leased_by(fresh), older) << "a share that nobody wants is the backlog's";
}

TEST_F(Turns, AFreshChangeOfASubjectOfTheBacklogGoesWithOrBehindItsOlderOnes) {
    const auto one = linked("1"), two = linked("2");
    push_contact(one);
    const auto appointment = push_appt(two);
    clock_.advance(std::chrono::hours{24 * 7});
    const auto state = push_contact(two);
    EXPECT_EQ(leased_by(fresh), appointment);
    deliver(appointment);
    EXPECT_EQ(books().delivered, 2) << "number " << state << " went along";
}

TEST_F(Turns, WhatIsAskedForAtTheLeastBoundsWhatIsGiven) {
    const auto one = linked("1"), two = linked("2"), three = linked("3");
    const auto old = push_contact(one);
    clock_.advance(std::chrono::hours{25});
    const auto todays = push_contact(two);
    EXPECT_EQ(leased_by({.least = envelope::Least::urgent}), 0);
    const auto suppression = push_suppress(three);
    EXPECT_EQ(leased_by({.least = envelope::Least::live}), suppression);
    EXPECT_EQ(leased_by({.least = envelope::Least::live}), todays);
    EXPECT_EQ(leased_by({.least = envelope::Least::live}), 0);
    EXPECT_EQ(leased_by({}), old);
}

TEST_F(Turns, WhatWasParkedIsAsOldAsItIs) {
    const auto one = linked("1"), two = linked("2");
    const auto old = push(
        one, [&](Transaction& txn) { return contact_state(txn, one, Stage::active); }, std::string_view{"clock"});
    clock_.advance(std::chrono::hours{24});
    const auto newest = push_contact(two);
    in([&](Transaction& txn) { return Outbox::unpark(txn, "clock"); });
    EXPECT_EQ(leased_by(fresh), newest);
    EXPECT_EQ(leased_by(fresh), old);
}

// The property, at random: three kinds of changes of a few subjects, some tries fail, and a backlog drains beside.
TEST_F(Turns, OfASubjectAllGoesInItsOrderWhateverBringsItsTurn) {
    coalesce_ = {.window = seconds{60}, .quiet = seconds{10}};
    std::uint32_t state = 7;
    const auto random = [&state](std::uint32_t below) {
        state = state * 1'664'525 + 1'013'904'223;
        return (state >> 8) % below;
    };
    std::vector<PatientId> people;
    for (int i = 0; i < 12; ++i) people.push_back(linked(std::to_string(i)));
    std::map<std::string, std::int64_t> newest; // of each subject, delivered
    const auto turn = [&] {
        const auto got = in([&](Transaction& txn) {
            return Outbox::lease(txn, Destination::crm, true, unsure_for, {.oldest_first = random(4) == 0});
        });
        if (!got) return false;
        if (random(5) == 0) return retry(got->lease, static_cast<int>(random(20'000)));
        auto& last = newest[std::string{got->envelope->text(Field::pid)}];
        EXPECT_GT(got->lease, last) << "an older one of the subject came later";
        last = got->lease;
        return deliver(got->lease);
    };
    for (int step = 0; step < 600; ++step) {
        const auto who = people[random(12)];
        switch (random(6)) {
        case 0: push_appt(who); break;
        case 1: push_consent(who); break;
        case 2: push_suppress(who); break;
        case 3: push_contact(who, random(2) == 0 ? Stage::active : Stage::lapsed); break;
        default: turn();
        }
        clock_.advance(seconds{random(40)});
        if (step == 300) clock_.advance(std::chrono::hours{24 * 7}); // offline
    }
    expect_books();
    for (int quiet = 0; quiet < 400; ++quiet) {
        while (turn()) {
        }
        clock_.advance(seconds{30});
    }
    EXPECT_EQ(books().pending + books().leased, 0);
    expect_books();
}

} // namespace
} // namespace clinic::outbox
