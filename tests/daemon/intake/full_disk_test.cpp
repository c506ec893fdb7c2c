// While the disk is full each way in says so in its own words, and nothing of it is lost or counted twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/intake/csv_import.h"
#include "tests/daemon/intake/desk.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/full_disk.h"

namespace clinic::intake {
namespace {

using testing::Desk;
using testing::field_of;
using ::testing::HasSubstr;
using testing::joined;
using testing::msh;
using testing::pid;

void expect_no_room(const std::string& answer) {
    EXPECT_EQ(field_of(answer, "MSA", 1), "AE") << answer;
    EXPECT_THAT(answer, HasSubstr("no room left on the box's disk"));
}

constexpr char two_people[] = "record_number,family_name\n100,Marrow\n101,Marrow\n";

class OnAFullDisk : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(desk_.code({msh("ADT^A04", "1"), pid("10")}), "AA");
        ASSERT_EQ(desk_.code({msh("ADT^A04", "2"), "PID|1"}), "AE"); // into the quarantine
        before_ = desk_.books();
    }
    void wait_for_room() {
        EXPECT_TRUE(fakes::eventually([&] { return desk_.store->takes_records(); }));
    }
    Desk desk_;
    FeedCounts before_;
};

// Those that would be stored, quarantined, refused for their type, and for their length.
TEST_F(OnAFullDisk, EachMessageIsAnsweredAeWithTheReasonAndCountedAsRefused) {
    {
        const fakes::FullDisk full;
        for (int i = 0; i < 2; ++i) {
            expect_no_room(desk_.send({msh("ADT^A04", "3"), pid("11")}));
            expect_no_room(desk_.send({msh("ADT^A04", "4"), "PID|1"}));
            expect_no_room(desk_.send({msh("ORU^R01", "5"), pid("11")}));
        }
        EXPECT_FALSE(desk_.store->takes_records());
    }
    wait_for_room();
    EXPECT_EQ(desk_.code({msh("ADT^A04", "3"), pid("11")}), "AA") << "sent again, it is stored";
    const auto after = desk_.books();
    EXPECT_TRUE(after.balanced());
    EXPECT_EQ(after.stored, before_.stored + 1);
    EXPECT_EQ(after.refused, before_.refused + 6);
    EXPECT_EQ(after.quarantined, before_.quarantined);
}

TEST_F(OnAFullDisk, EachLineOfAFileIsNamedWithTheReasonAndTheFileGoesInLater) {
    {
        const fakes::FullDisk full;
        for (const auto kind : {ImportKind::patients, ImportKind::appointments, ImportKind::consents}) {
            const auto* text =
                kind == ImportKind::patients ? two_people
                : kind == ImportKind::appointments
                    ? "appointment_id,record_number,start\n1,10,2026-12-01T09:00\n2,10,2026-12-02T09:00\n"
                    : "record_number,scope,state,given_on\n10,marketing,granted,2026-11-01\n"
                      "10,marketing,revoked,2026-11-02\n";
            const auto report = import_csv(*desk_.store, desk_.releaser, kind, text, 1'000);
            ASSERT_TRUE(report) << report.error().what.c_str();
            EXPECT_EQ(report->received, 2);
            EXPECT_EQ(report->refused, 2);
            ASSERT_EQ(report->faults.size(), 2U);
            for (const auto& fault : report->faults) {
                EXPECT_STREQ(fault.what.c_str(), "there is no room left on the box's disk");
                EXPECT_STRNE(fault.remedy.c_str(), "");
            }
        }
    }
    wait_for_room();
    EXPECT_EQ(import_csv(*desk_.store, desk_.releaser, ImportKind::patients, two_people, 1'000)->stored, 2);
}

} // namespace
} // namespace clinic::intake
