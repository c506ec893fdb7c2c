// A case that GHL has no more: held for a person, or forgotten where it was to end.
#include "daemon/outbox/beside.h"

#include "tests/daemon/outbox/outbox_fixture.h"

namespace clinic::outbox {
namespace {

using envelope::Case;
using envelope::Outcome;

class ACase : public OutboxTest {
protected:
    PatientId linked(const std::string& number) {
        const auto who = patient(number);
        in([&](Transaction& txn) -> Result<void> {
            return Links::set_contact(txn, who, "contact" + number, Made::by_us);
        });
        return who;
    }
    std::int64_t push_case(PatientId who, Stage stage = Stage::active, Case outcome = Case::open) {
        in([&](Transaction& txn) { return Beside::number_of(txn, who, Kind::case_state); });
        return push(who, [&](Transaction& txn) {
            return begun(txn, who, Kind::case_state).put(Field::stage, stage).put(Field::outcome, outcome);
        });
    }
    Besides one(PatientId who) {
        return in([&](Transaction& txn) { return Beside::all(txn, who); }).front();
    }
};

TEST_F(ACase, TakesThePlaceOfItsOwnAlone) {
    const auto who = linked("1");
    push_contact(who);
    push_case(who, Stage::new_);
    push_case(who, Stage::active);
    EXPECT_EQ(books().superseded, 1);
    EXPECT_EQ(books().pending, 2);
}

TEST_F(ACase, ThatGhlHasNoMoreIsHeldUntilAPersonRetries) {
    const auto who = linked("1");
    const auto row = push_case(who);
    settle({.lease = leased(), .object = "object1"});
    const auto moved = push_case(who, Stage::lapsed);
    leased();
    for (int tries = 0; tries < 2; ++tries) {
        EXPECT_EQ(one(who).held, Held::no);
        if (tries > 0) {
            EXPECT_TRUE(lease()->look_up_first);
        }
        retry(moved, 0, true, "object_gone");
    }
    EXPECT_EQ(books().dead, 1);
    EXPECT_EQ(one(who).held, Held::waits);
    EXPECT_EQ(one(who).object, "object1");
    in([&](Transaction& txn) -> Result<void> { return Outbox::retry_dead(txn, moved); });
    EXPECT_EQ(one(who).held, Held::no);
    const auto anew = lease();
    ASSERT_TRUE(anew);
    EXPECT_TRUE(anew->create);
    EXPECT_EQ(anew->object, "");
    EXPECT_NE(row, moved);
}

TEST_F(ACase, ThatWasToEndAndIsGoneIsForgotten) {
    const auto who = linked("1");
    push_case(who);
    settle({.lease = leased(), .object = "object1"});
    push_case(who, Stage::archived, Case::abandoned);
    settle({.lease = leased(), .outcome = Outcome::retry, .code = "no_object"});
    EXPECT_EQ(books().discarded, 1);
    EXPECT_EQ(one(who).object, "");
    push_case(who);
    EXPECT_TRUE(lease()->create) << "who comes back has a new one";
}

} // namespace
} // namespace clinic::outbox
