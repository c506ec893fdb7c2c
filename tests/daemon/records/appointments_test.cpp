#include "daemon/records/appointments.h"

#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

class Appointments : public Records {
protected:
    static AppointmentChange change(const char* key, AppointmentStatus status, std::optional<Timestamp> start = {}) {
        AppointmentChange out;
        out.key = PhiText{key};
        out.name_space = "APP|FAC";
        out.status = status;
        out.start = start;
        return out;
    }
    AppointmentUpserted upsert(std::optional<PatientId> patient, const AppointmentChange& what, const Stamp& stamp,
                               bool test_traffic = false) {
        auto out = with([&](Transaction& txn, const Disclosure& why) {
            return upsert_appointment(txn, why, patient, what, stamp, test_traffic);
        });
        EXPECT_TRUE(out) << out.error().what.c_str();
        return out ? *out : AppointmentUpserted{};
    }
    AppointmentUpserted upsert(std::optional<PatientId> patient, const AppointmentChange& what) {
        return upsert(patient, what, now());
    }
    using Records::upsert;

    Timestamp in(int hours) const { return clock_.now() + std::chrono::hours{hours}; }
};

TEST_F(Appointments, AreMadeByAnyStatusAndFoundByTheirKey) {
    const auto id = upsert(person("1")).id;
    const auto made = upsert(id, change("F-1", AppointmentStatus::cancelled, in(24)));
    EXPECT_TRUE(made.created);
    const auto again = upsert(id, change("F-1", AppointmentStatus::booked));
    EXPECT_FALSE(again.created);
    EXPECT_EQ(again.id, made.id);
    const auto held = facts(id).appointments;
    ASSERT_EQ(held.size(), 1U);
    EXPECT_EQ(held[0].status, AppointmentStatus::booked);
    EXPECT_EQ(held[0].start, in(24)); // an absent start keeps its value
}

TEST_F(Appointments, NeverGoBackInTime) {
    const auto id = upsert(person("1")).id;
    upsert(id, change("F-1", AppointmentStatus::cancelled, in(1)));
    EXPECT_TRUE(upsert(id, change("F-1", AppointmentStatus::booked, in(9)), earlier(5)).stale);
    EXPECT_EQ(facts(id).appointments.at(0).status, AppointmentStatus::cancelled);
}

TEST_F(Appointments, KeepTheirStatusWhenTheMessageSaysNothingOfIt) {
    const auto id = upsert(person("1")).id;
    upsert(id, change("F-1", AppointmentStatus::confirmed, in(1)));
    auto moved = change("F-1", AppointmentStatus::booked, in(2));
    moved.keep_status = true;
    upsert(id, moved);
    EXPECT_EQ(facts(id).appointments.at(0).status, AppointmentStatus::confirmed);
    EXPECT_EQ(facts(id).appointments.at(0).start, in(2));
    auto unknown = change("F-2", AppointmentStatus::requested, in(9));
    unknown.keep_status = true; // there is none to keep
    upsert(id, unknown);
    EXPECT_EQ(facts(id).appointments.at(1).status, AppointmentStatus::requested);
}

TEST_F(Appointments, TakeTheirEndAlongWhenTheyMove) {
    const auto id = upsert(person("1")).id;
    const auto told = [&](std::optional<Timestamp> start, std::optional<Timestamp> end) {
        auto what = change("F-1", AppointmentStatus::booked, start);
        what.end = end;
        upsert(id, what);
        return facts(id).appointments.at(0);
    };
    EXPECT_EQ(told(in(10), std::nullopt).end, std::nullopt) << "nobody has said one";
    EXPECT_EQ(told(in(10), in(11)).end, in(11));
    EXPECT_EQ(told(in(34), std::nullopt).end, in(35));
    EXPECT_EQ(told(in(34), std::nullopt).end, in(35)) << "and stays where it does not move";
    EXPECT_EQ(told(in(4), std::nullopt).end, in(5)) << "the other way as well";
    EXPECT_EQ(told(std::nullopt, std::nullopt).end, in(5));
    EXPECT_EQ(told(in(6), in(8)).end, in(8)) << "what is said counts";
    EXPECT_EQ(told(std::nullopt, in(9)).end, in(9));
    EXPECT_EQ(told(std::nullopt, in(3)).end, std::nullopt) << "none lies before the start";
    EXPECT_EQ(told(in(7), in(3)).end, std::nullopt);
}

TEST_F(Appointments, WithoutAPatientGetOneLater) {
    const auto block = upsert(std::nullopt, change("B-1", AppointmentStatus::booked, in(3)));
    EXPECT_FALSE(block.patient);
    const auto id = upsert(person("1")).id;
    const auto named = upsert(id, change("B-1", AppointmentStatus::booked));
    EXPECT_EQ(named.id, block.id);
    EXPECT_EQ(named.patient, id);
    EXPECT_FALSE(named.moved_from);
    EXPECT_EQ(upsert(std::nullopt, change("B-1", AppointmentStatus::confirmed)).patient, id);
    EXPECT_EQ(facts(id).appointments.size(), 1U);
}

TEST_F(Appointments, ThatChangeTheirPatientSayWhoseTheyWere) {
    const auto one = upsert(person("1")).id;
    const auto two = upsert(person("2")).id;
    upsert(one, change("F-1", AppointmentStatus::booked, in(3)));
    const auto moved = upsert(two, change("F-1", AppointmentStatus::booked));
    EXPECT_EQ(moved.moved_from, one);
    EXPECT_TRUE(facts(one).appointments.empty());
    EXPECT_EQ(facts(two).appointments.size(), 1U);
}

TEST_F(Appointments, EnteredInErrorAreHidden) {
    const auto id = upsert(person("1")).id;
    upsert(id, change("F-1", AppointmentStatus::booked, in(3)));
    upsert(id, change("F-1", AppointmentStatus::entered_in_error));
    EXPECT_TRUE(facts(id).appointments.empty());
}

TEST_F(Appointments, OfTestTrafficAreOthers) {
    const auto id = upsert(person("1")).id;
    const auto real = upsert(id, change("F-1", AppointmentStatus::booked, in(3)));
    const auto tester = Records::upsert(person("1"), now(), true).id;
    EXPECT_NE(upsert(tester, change("F-1", AppointmentStatus::cancelled), now(), true).id, real.id);
    EXPECT_EQ(facts(id).appointments.at(0).status, AppointmentStatus::booked);
}

TEST_F(Appointments, StandOpenOnesFirstSoonestFirstThenNewest) {
    const auto id = upsert(person("1")).id;
    upsert(id, change("past", AppointmentStatus::completed, in(-48)));
    upsert(id, change("missed", AppointmentStatus::no_show, in(-24)));
    upsert(id, change("overdue", AppointmentStatus::booked, in(-1)));
    upsert(id, change("late", AppointmentStatus::booked, in(72)));
    upsert(id, change("soon", AppointmentStatus::confirmed, in(2)));
    const auto held = facts(id);
    std::vector<std::optional<Timestamp>> starts;
    for (const auto& one : held.appointments) starts.push_back(one.start);
    EXPECT_EQ(starts, (std::vector<std::optional<Timestamp>>{in(2), in(72), in(-1), in(-24), in(-48)}));
    EXPECT_EQ(held.last_visit, in(-48));
    EXPECT_EQ(held.visits, 1);
}

TEST_F(Appointments, AreBoundedInWhatReleaseSees) {
    const auto id = upsert(person("1")).id;
    for (int i = 0; i < 70; ++i)
        upsert(id, change(("F-" + std::to_string(i)).c_str(), AppointmentStatus::completed, in(-i - 1)));
    upsert(id, change("open", AppointmentStatus::booked, in(500)));
    const auto held = facts(id);
    EXPECT_EQ(held.appointments.size(), 64U);
    EXPECT_EQ(held.appointments.front().status, AppointmentStatus::booked);
    EXPECT_EQ(held.last_visit, in(-1));
}

TEST_F(Appointments, MoveWithAMergeAndOpenWithTheSurvivorsKey) {
    const auto prior = upsert(person("1")).id;
    const auto survivor = upsert(person("2")).id;
    auto with_reason = change("F-1", AppointmentStatus::booked, in(5));
    with_reason.reason = said("knee");
    const auto made = upsert(prior, with_reason);
    ASSERT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return merge_patients(txn, why, survivor, prior); }));
    EXPECT_EQ(facts(survivor).appointments.size(), 1U);
    EXPECT_TRUE(facts(prior).appointments.empty());
    const auto later = upsert(prior, change("F-1", AppointmentStatus::arrived)); // the old id leads to the survivor
    EXPECT_EQ(later.id, made.id);
    EXPECT_EQ(later.patient, survivor);
    EXPECT_FALSE(later.moved_from);
}

TEST_F(Appointments, WithoutAKeyAreRefused) {
    const auto out = with([&](Transaction& txn, const Disclosure& why) {
        return upsert_appointment(txn, why, std::nullopt, change(" ", AppointmentStatus::booked), now(), false);
    });
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::malformed);
}

TEST_F(Appointments, AreGoneWithAnErasedPatient) {
    const auto id = upsert(person("1")).id;
    upsert(id, change("F-1", AppointmentStatus::booked, in(5)));
    ASSERT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return erase_patient(txn, why, id, nothing_else); }));
    const auto anew = upsert(person("1")).id;
    EXPECT_TRUE(upsert(anew, change("F-1", AppointmentStatus::booked, in(5))).created);
}

} // namespace
} // namespace clinic::records
