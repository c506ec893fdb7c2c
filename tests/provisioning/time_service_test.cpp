// What systemd says of the machine's time, from somebody on a bus who has its names.
#include "provisioning/time_service.h"

#include <gtest/gtest.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "tests/support/private_bus.h"

namespace clinic::provisioning {
namespace {

using test_support::PrivateBus;

class TimeKeeper : public test_support::OnTheBus {
public:
    explicit TimeKeeper(const PrivateBus& of, bool with_timesyncd) : OnTheBus{of} {
        static const sd_bus_vtable timedate[] = {SD_BUS_VTABLE_START(0), SD_BUS_PROPERTY("NTP", "b", yes, 0, 0),
                                                 SD_BUS_PROPERTY("NTPSynchronized", "b", yes, 0, 0), SD_BUS_VTABLE_END};
        static const sd_bus_vtable timesync[] = {SD_BUS_VTABLE_START(0),
                                                 SD_BUS_PROPERTY("ServerName", "s", server, 0, 0), SD_BUS_VTABLE_END};
        bool there = sd_bus_add_object_vtable(bus(), nullptr, "/org/freedesktop/timedate1", "org.freedesktop.timedate1",
                                              timedate, this) >= 0 &&
                     sd_bus_request_name(bus(), "org.freedesktop.timedate1", 0) >= 0;
        if (with_timesyncd)
            there = there &&
                    sd_bus_add_object_vtable(bus(), nullptr, "/org/freedesktop/timesync1",
                                             "org.freedesktop.timesync1.Manager", timesync, this) >= 0 &&
                    sd_bus_request_name(bus(), "org.freedesktop.timesync1", 0) >= 0;
        EXPECT_TRUE(there);
        start();
    }
    ~TimeKeeper() override { stop(); }

private:
    static int yes(sd_bus*, const char*, const char*, const char*, sd_bus_message* into, void*, sd_bus_error*) {
        return sd_bus_message_append(into, "b", 1);
    }
    static int server(sd_bus*, const char*, const char*, const char*, sd_bus_message* into, void*, sd_bus_error*) {
        return sd_bus_message_append(into, "s", "ntp.clinic.example");
    }
};

class TimeOnTheBus : public testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "a bus of our own needs root";
        bus_ = std::make_unique<PrivateBus>(61'713);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", bus_->address().c_str(), 1);
    }
    void TearDown() override { unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
    std::unique_ptr<PrivateBus> bus_;
};

TEST_F(TimeOnTheBus, IsReadWithItsServer) {
    const TimeKeeper keeper{*bus_, true};
    const auto said = time_service();
    ASSERT_TRUE(said);
    EXPECT_TRUE(said->wanted);
    EXPECT_TRUE(said->synchronised);
    EXPECT_EQ(said->server, "ntp.clinic.example");
}

TEST_F(TimeOnTheBus, OfAnotherServiceHasNoServer) {
    const TimeKeeper keeper{*bus_, false};
    const auto said = time_service();
    ASSERT_TRUE(said);
    EXPECT_TRUE(said->synchronised);
    EXPECT_EQ(said->server, "");
}

TEST_F(TimeOnTheBus, WhereNobodyKeepsItSaysSo) {
    EXPECT_EQ(time_service().error().code, Errc::not_found);
    bus_->end();
    EXPECT_EQ(time_service().error().code, Errc::not_found) << "and without a bus";
}

} // namespace
} // namespace clinic::provisioning
