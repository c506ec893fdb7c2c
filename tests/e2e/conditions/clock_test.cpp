// A clock that is wrong, in both programs, as on a machine with an empty battery: messages are stored, nothing whose
// right to leave has an end leaves, nothing is taken back or deleted, and all goes on when the time is right.
#include "tests/e2e/conditions/room.h"

namespace clinic::e2e {
namespace {

class WrongClock : public Conditions {
protected:
    void TearDown() override {
        set_clock("");
        Conditions::TearDown();
        EXPECT_TRUE(eventually(
            [] {
                const auto crm = box().status()["egress"]["crm"];
                return crm["parked"] == 0 && crm["pending"] == 0 && crm["leased"] == 0;
            },
            120))
            << box().status()["egress"].dump();
    }

    static std::size_t told() { return box().requests().size(); }
    static std::int64_t parked() { return box().status()["egress"]["crm"].value("parked", std::int64_t{-1}); }
};

TEST_F(WrongClock, In1970MessagesAreStoredAndNothingLeaves) {
    set_clock("@1970-01-01 00:10:00");
    EXPECT_TRUE(eventually([] { return is("clock-untrusted"); })) << box().status().dump();
    EXPECT_EQ(box().status()["clock"]["floor_holds"], false);
    const auto before = told();
    EXPECT_EQ(send(), "AA");
    EXPECT_TRUE(eventually([] { return parked() > 0; })) << box().status()["egress"].dump();
    EXPECT_EQ(told(), before);
    EXPECT_NE(box().page("/").find("HTTP/1.1 200"), std::string::npos);
    const auto refused = box().ctl("clock confirm");
    EXPECT_EQ(refused.exit, 2);
    EXPECT_NE(refused.out.find("set the clock first"), std::string::npos) << refused.out;
}

TEST_F(WrongClock, In2099NothingEndsIsDeletedOrTakenBack) {
    const auto contacts = box().contacts().size();
    const auto before = told();
    set_clock("@2099-06-01 12:00:00");
    EXPECT_TRUE(eventually([] { return is("clock-untrusted"); })) << box().status().dump();
    EXPECT_GT(box().status()["clock"].value("step_s", std::int64_t{0}), std::int64_t{70} * 365 * 86'400);
    EXPECT_EQ(box().status()["basis"]["expired"], false);
    EXPECT_EQ(send(), "AA");
    EXPECT_EQ(box().ctl("release daily").exit, 0); // the walk over everybody, by a clock that says all has ended
    EXPECT_TRUE(eventually([] { return parked() > 0; })) << box().status()["egress"].dump();
    EXPECT_EQ(told(), before);
    set_clock("");
    EXPECT_TRUE(eventually([&] { return is("running") && box().contacts().size() == contacts + 1; }, 120));
    for (const auto& request : box().requests())
        EXPECT_EQ(request.dump().find("do-not-contact"), std::string::npos) << "a suppression left";
}

TEST_F(WrongClock, AStepForwardWaitsForAPersonAndTheirWordIsAudited) {
    set_clock("+3d");
    EXPECT_TRUE(eventually([] { return is("clock-untrusted"); })) << box().status().dump();
    EXPECT_EQ(send(), "AA");
    EXPECT_TRUE(eventually([] { return parked() > 0; }));
    const auto entries = box().status()["store"]["audit_entries"].get<std::int64_t>();
    EXPECT_EQ(box().ctl("clock confirm").exit, 0);
    EXPECT_TRUE(eventually([] { return is("running") && parked() == 0; }, 60)) << box().status().dump();
    EXPECT_GT(box().status()["store"]["audit_entries"].get<std::int64_t>(), entries);
    // It was wrong after all: back to today, which is before a time that a person had confirmed.
    set_clock("");
    EXPECT_TRUE(eventually([] { return is("clock-untrusted"); }));
    EXPECT_EQ(box().ctl("clock confirm").exit, 0);
}

} // namespace
} // namespace clinic::e2e
