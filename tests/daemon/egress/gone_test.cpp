// What GHL does not find any more when it is written to.
#include "daemon/crm/objects.h"
#include "tests/daemon/egress/egress_fixture.h"

namespace clinic::egress {
namespace {

class GoneInGhl : public EgressServerTest {
protected:
    bool is_known_deleted(const std::string& booking) {
        bool deleted = false;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto object = crm::find(session, envelope::CrmKind::appointment, booking);
            CLINIC_TRY(object);
            deleted = *object && (*object)->fact.deleted();
            return {};
        }));
        return deleted;
    }
    // Settles what is about the contact until something about the booking is handed out.
    static envelope::Lease of_booking(const Caller& caller) {
        for (int i = 0; i < 8; ++i) {
            auto lease = caller.lease();
            if (!lease.envelope || lease.envelope->kind() == envelope::Kind::booking_state) return lease;
            caller.ask<envelope::Settled>(
                envelope::Settle{.lease = lease.lease, .contact = lease.contact.empty() ? "contact1" : ""});
        }
        return {};
    }
};

TEST_F(GoneInGhl, ABookingWhoseLetterIsDeadCountsAsDeleted) {
    clinic.releaser.tell_bookings({.told = true, .create = true}, {});
    const auto patient = clinic.add("N1", "Quillfeather");
    const auto tomorrow = clinic.in_days(1);
    clinic.book(patient, "A1", tomorrow);
    const Caller caller{path};
    const auto made = of_booking(caller);
    ASSERT_TRUE(made.create);
    caller.ask<envelope::Settled>(envelope::Settle{.lease = made.lease, .object = "booking1"});
    clinic.book(patient, "A1", tomorrow, records::AppointmentStatus::confirmed);
    const auto first = of_booking(caller);
    ASSERT_EQ(first.object, "booking1");
    const auto again = [&](const envelope::Lease& lease, envelope::Outcome outcome) {
        caller.ask<envelope::Settled>(envelope::Settle{
            .lease = lease.lease, .outcome = outcome, .code = "object_gone", .counts_against = true, .contact = ""});
    };
    again(first, envelope::Outcome::retry);
    EXPECT_FALSE(is_known_deleted("booking1")) << "not found once is not gone";
    again(of_booking(caller), envelope::Outcome::dead);
    EXPECT_TRUE(is_known_deleted("booking1"));
}

} // namespace
} // namespace clinic::egress
