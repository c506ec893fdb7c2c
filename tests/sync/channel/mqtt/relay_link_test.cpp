// What the relay tells a box, over a real mosquitto, with a clinicd that the test answers for.
#include "sync/channel/mqtt/relay_link.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "crypto/secure_bytes.h"
#include "sync/channel/mqtt/mqtt_link.h"
#include "sync/envelope/down_message.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/channel/mqtt/mosquitto.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::mqtt {
namespace {

using namespace std::chrono_literals;
using envelope::CrmFact;
using envelope::CrmKind;
using support::eventually;

CrmFact booking(const std::string& id, std::int64_t updated_ms = 1'795'255'197'000) {
    return {.id = id,
            .kind = CrmKind::appointment,
            .updated_ms = updated_ms,
            .read_ms = 1'795'255'198'000,
            .said =
                envelope::CrmAppointment{"contact1", "calendar1", envelope::Booking::confirmed, 1'994'728, 1'994'730}};
}
CrmFact contact(const std::string& id) {
    return {.id = id,
            .kind = CrmKind::contact,
            .updated_ms = 0,
            .read_ms = 1'795'255'198'000,
            .said = envelope::CrmContact{}};
}
CrmFact deleted(const std::string& id, CrmKind kind) {
    return {.id = id, .kind = kind, .updated_ms = 0, .read_ms = 1'795'255'198'000, .said = {}};
}

class RelayLinks : public testing::Test {
protected:
    void SetUp() override {
        if (!Mosquitto::installed()) GTEST_SKIP() << "mosquitto is not installed";
        ASSERT_TRUE(crypto::start());
        signal(SIGPIPE, SIG_IGN);
        broker = std::make_unique<Mosquitto>(folder.path(), authority);
        rules.location = "location1";
        rules.reads.calendars = {"calendar1"};
        auto relay = Broker::connect(settings("relay", "relay-r1"), {"ops/r1/state", "{}"}, {});
        ASSERT_TRUE(relay);
        relay_ = std::move(*relay);
    }
    BrokerOptions settings(const std::string& certificate_of, const std::string& client) const {
        const auto leaf = authority.issue(certificate_of, "");
        return {.host = "127.0.0.1",
                .port = broker->port(),
                .ca = authority.pem(),
                .cert = leaf.cert,
                .key = leaf.key,
                .client = client,
                .will_delay = 60s,
                .connect_max = 5s,
                .publish_max = 5s};
    }
    std::jthread start() {
        RelayLinkOptions how{.broker = settings("demo-1", ""), .box = "demo-1", .egress = folder / "egress.sock"};
        how.look_period = 20ms;
        how.reconnect = {.base = 20ms, .cap = 100ms, .floor = 10ms};
        how.look = [this](CrmKind kind) {
            const std::lock_guard lock{mutex};
            ++looks[kind];
        };
        return std::jthread{[this, how = std::move(how)](std::stop_token stop) {
            RelayLink{how, rules, board, clock}.run(std::move(stop));
        }};
    }
    void open_clinicd() {
        clinicd.emplace(folder / "egress.sock",
                        [this](const envelope::Request& request) -> std::optional<envelope::Reply> {
                            const auto* fact = std::get_if<CrmFact>(&request);
                            if (fact == nullptr) return envelope::Settled{};
                            const std::lock_guard lock{mutex};
                            return answer ? answer(*fact) : envelope::FactTaken{envelope::Taken::stored, false};
                        });
    }
    void close_clinicd() {
        clinicd.reset();
        std::filesystem::remove(folder / "egress.sock");
    }
    void answer_with(std::function<std::optional<envelope::Reply>(const CrmFact&)> with) {
        const std::lock_guard lock{mutex};
        answer = std::move(with);
    }
    void tell(const std::string& payload) {
        ASSERT_TRUE(relay_->publish({envelope::down_topic("demo-1"), payload, false, 3'600s}, {}));
    }
    void tell(const CrmFact& fact) { tell(envelope::encode(envelope::DownMessage{std::string(32, 'a'), fact})); }
    bool is_heard() { // a subscription before its first message stands
        return eventually([this] { return board.said().webhooks && board.said().webhooks->up; });
    }
    envelope::Webhooks said() const { return board.said().webhooks.value_or(envelope::Webhooks{}); }
    std::vector<std::string> ids() const {
        std::vector<std::string> out;
        for (const auto& fact : clinicd->seen<CrmFact>()) out.push_back(fact.id);
        return out;
    }
    int looked_for(CrmKind kind) {
        const std::lock_guard lock{mutex};
        return looks[kind];
    }

    fakes::TempFolder folder;
    base::SystemClock clock;
    support::Authority authority{folder.path(), "authority"};
    std::unique_ptr<Mosquitto> broker;
    envelope::WriteRules rules;
    lane::Board board{clock};
    std::mutex mutex;
    std::map<CrmKind, int> looks;
    std::function<std::optional<envelope::Reply>(const CrmFact&)> answer;
    std::unique_ptr<Broker> relay_;
    std::optional<support::ScriptedEgress> clinicd;
};

TEST_F(RelayLinks, AFactWithItsTimeGoesStraightAndOneWithoutIsAReasonToLook) {
    open_clinicd();
    const auto link = start();
    ASSERT_TRUE(is_heard());
    tell(booking("booking1"));
    tell(contact("contact1"));
    tell(booking("booking2", 0));
    tell(deleted("contact2", CrmKind::contact));
    ASSERT_TRUE(eventually([&] { return said().told == 2 && said().looked == 2; })); // clinicd has it before that
    EXPECT_EQ(ids(), (std::vector<std::string>{"booking1", "contact2"}));
    EXPECT_EQ(clinicd->seen<CrmFact>().front(), booking("booking1"));
    EXPECT_EQ(looked_for(CrmKind::contact), 1);
    EXPECT_EQ(looked_for(CrmKind::appointment), 1);
    EXPECT_GT(said().newest_ms, 0);
    EXPECT_EQ(said().fault_ms, 0);
}

// Its answer is what the broker's acknowledgement waits for.
TEST_F(RelayLinks, WhatIsToldWhileClinicdIsAwayComesWhenItIsBack) {
    open_clinicd();
    auto link = start();
    ASSERT_TRUE(is_heard());
    answer_with([](const CrmFact&) { return std::optional<envelope::Reply>{}; }); // it dies over it
    for (int i = 0; i < 50; ++i) tell(booking("booking" + std::to_string(i)));
    ASSERT_TRUE(eventually([&] { return clinicd->seen<CrmFact>().size() >= 3; })) << "one comes again and again";
    close_clinicd();
    ASSERT_TRUE(eventually([&] { return !said().up; }));
    EXPECT_EQ(said().told, 0);
    answer_with(nullptr);
    open_clinicd();
    ASSERT_TRUE(eventually([&] { return said().told >= 50; }));
    std::set<std::string> all;
    for (const auto& id : ids()) all.insert(id);
    EXPECT_EQ(all.size(), 50U);
    EXPECT_EQ(said().fault_ms, 0);
}

TEST_F(RelayLinks, AStoreThatIsBusyOrClosedIsWaitedFor) {
    open_clinicd();
    int tries = 0;
    answer_with([&tries](const CrmFact&) -> std::optional<envelope::Reply> {
        if (++tries <= 3) return envelope::Refused{tries == 2 ? "closed" : "busy"};
        return envelope::FactTaken{envelope::Taken::known, false};
    });
    const auto link = start();
    ASSERT_TRUE(is_heard());
    tell(booking("booking1"));
    ASSERT_TRUE(eventually([&] { return said().told == 1; }));
    EXPECT_EQ(ids().size(), 4U);
    EXPECT_EQ(said().refused, 0);
}

TEST_F(RelayLinks, WhatIsRefusedForGoodIsCountedAndDoesNotComeAgain) {
    open_clinicd();
    answer_with([](const CrmFact& fact) -> std::optional<envelope::Reply> {
        if (fact.id == "booking1") return envelope::FactTaken{envelope::Taken::refused, false};
        if (fact.id == "booking2") return envelope::Refused{"malformed"};
        return envelope::FactTaken{envelope::Taken::stale, false};
    });
    auto link = start();
    ASSERT_TRUE(is_heard());
    for (const char* id : {"booking1", "booking2", "booking3"}) tell(booking(id));
    ASSERT_TRUE(eventually([&] { return said().told == 1; }));
    EXPECT_EQ(said().refused, 2);
    EXPECT_GT(said().fault_ms, 0);
    link.request_stop();
    link.join();
    const auto again = start();
    ASSERT_TRUE(is_heard());
    tell(booking("booking4"));
    ASSERT_TRUE(eventually([&] { return said().told == 2; }));
    EXPECT_EQ(ids(), (std::vector<std::string>{"booking1", "booking2", "booking3", "booking4"}));
}

TEST_F(RelayLinks, WhatIsNoMessageOfTheRelaysIsCountedAndNotHandedOn) {
    open_clinicd();
    const auto link = start();
    ASSERT_TRUE(is_heard());
    tell("");
    tell(std::string(8'000, 'x'));
    tell(R"({"v":1,"firstName":"Zyxwvarabella"})");
    const std::string one = envelope::encode(envelope::DownMessage{std::string(32, 'a'), booking("booking1")});
    tell(" " + one); // in another form than the encoder's
    auto elsewhere = booking("booking2");
    std::get<envelope::CrmAppointment>(elsewhere.said).calendar = "calendar2";
    tell(elsewhere);
    auto lead = contact("contact1");
    std::get<envelope::CrmContact>(lead.said).campaigns = {"zyxwvarabella"};
    tell(lead);
    tell(CrmFact{.id = "location2",
                 .kind = CrmKind::location,
                 .read_ms = 1'795'255'198'000,
                 .said = envelope::CrmLocation{"America/New_York"}});
    tell(booking("booking3"));
    ASSERT_TRUE(eventually([&] { return said().told == 1; }));
    EXPECT_EQ(said().bad, 7);
    EXPECT_EQ(ids(), std::vector<std::string>{"booking3"});
    EXPECT_EQ(looked_for(CrmKind::contact), 0);
}

// A box that was off for a while: the broker has kept what it was told, in order.
TEST_F(RelayLinks, TheSessionIsKeptWhileNobodyListens) {
    open_clinicd();
    {
        const auto link = start();
        ASSERT_TRUE(is_heard());
    }
    EXPECT_FALSE(said().up);
    std::vector<std::string> told;
    for (int i = 0; i < 100; ++i) {
        told.push_back("booking" + std::to_string(i));
        tell(booking(told.back()));
    }
    const auto link = start();
    ASSERT_TRUE(eventually([&] { return said().told == 100; }));
    EXPECT_EQ(ids(), told);
}

TEST_F(RelayLinks, ComesBackAfterTheBrokerDid) {
    open_clinicd();
    const auto link = start();
    ASSERT_TRUE(is_heard());
    broker->stop();
    ASSERT_TRUE(eventually([&] { return !said().up; }));
    broker->start();
    ASSERT_TRUE(is_heard());
    relay_ = std::move(*Broker::connect(settings("relay", "relay-r1"), {"ops/r1/state", "{}"}, {}));
    tell(booking("booking1"));
    EXPECT_TRUE(eventually([&] { return said().told == 1; }));
}

// One program, two connections to one broker: the one that is cut is not the other.
TEST_F(RelayLinks, TheLinkToCentralOpsStandsWhileMessagesAreGivenBack) {
    const Ops ops{*broker, authority};
    auto numbers =
        lane::StateFile::open(folder.path(), crypto::KeySlot::from_key(crypto::SecureBytes::zeroed(32)), clock);
    ASSERT_TRUE(numbers);
    LinkOptions options{.broker = settings("demo-1", "demo-1"), .box = "demo-1", .egress = folder / "egress.sock"};
    options.look_period = 50ms;
    open_clinicd();
    answer_with([](const CrmFact&) { return envelope::Refused{"busy"}; });
    const auto link = start();
    ASSERT_TRUE(is_heard());
    const std::jthread other{[&](std::stop_token stop) { MqttLink{options, **numbers, board, clock}.run(stop); }};
    ASSERT_TRUE(eventually([&] { return board.mqtt_up(); }));
    tell(booking("booking1"));
    ASSERT_TRUE(eventually([&] { return ids().size() >= 5; }));
    answer_with(nullptr);
    ASSERT_TRUE(eventually([&] { return said().told == 1; }));
    EXPECT_TRUE(board.mqtt_up());
    EXPECT_EQ(ops.heard("clinic/demo-1/state").size(), 1U) << "it never came anew";
}

} // namespace
} // namespace clinic::mqtt
