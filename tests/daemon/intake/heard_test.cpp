// From the first byte of a message to the row that it releases: what a trace begins with.
#include <gtest/gtest.h>

#include <future>

#include "daemon/intake/csv_import.h"
#include "tests/daemon/intake/desk.h"
#include "tests/daemon/intake/mllp_port.h"

namespace clinic::intake {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Desk;
using testing::eventually;
using testing::field_of;
using testing::framed;
using testing::joined;
using testing::msh;
using testing::Port;
using testing::Sender;

constexpr std::string_view ping = "PING";

// A clinic that releases, its port, and a writer that can be kept busy.
struct Heard : ::testing::Test {
    void SetUp() override {
        desk.open_basis();
        server = testing::serve(port, desk.clock, [this](Frame frame, MllpServer::Answer answer) {
            if (frame.bytes == ping) return answer("PONG");
            desk.ingest->message(std::move(frame), std::move(answer));
        });
    }
    void TearDown() override { server.reset(); }

    static std::string message() {
        return framed(joined({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR||Quillfeather^Jane||19800101|F|||||555-0101"}));
    }
    // The server's one thread has taken all of those bytes, and is past them.
    void is_past(std::size_t bytes) {
        taken += bytes;
        ASSERT_TRUE(eventually([&] { return server->numbers().bytes == taken; }));
        Sender other{port.number};
        other.send(framed(std::string{ping}));
        ASSERT_EQ(other.answer(), "PONG");
        taken += framed(std::string{ping}).size();
    }
    envelope::Lease lease() {
        desk.clock.advance(hours{1}); // whatever it waits for
        std::optional<envelope::Lease> out;
        EXPECT_TRUE(desk.store->write([&](records::Transaction& txn) -> Result<void> {
            auto got = outbox::Outbox::lease(txn, envelope::Destination::crm, true, milliseconds{60'000});
            CLINIC_TRY(got);
            out = std::move(*got);
            return {};
        }));
        EXPECT_TRUE(out) << "nothing was released";
        return out ? std::move(*out) : envelope::Lease{};
    }
    static std::int64_t micros(base::Micros span) { return span.count(); }

    Desk desk;
    Port port;
    std::unique_ptr<MllpServer> server;
    std::size_t taken = 0;
};

TEST_F(Heard, AFrameFromItsFirstByteThoughTheLastComesLater) {
    const std::string all = message();
    Sender sender{port.number};
    sender.send(all.substr(0, 20));
    is_past(20);
    desk.clock.advance(seconds{3});
    sender.send(all.substr(20));
    EXPECT_EQ(field_of(sender.answer(), "MSA", 1), "AA");
    const auto got = lease();
    EXPECT_EQ(got.trace.size(), 32U);
    EXPECT_EQ(got.heard_us, micros(seconds{3}));
    EXPECT_EQ(got.queued_ms, milliseconds{hours{1}}.count());
}

TEST_F(Heard, AFrameThatComesAtOnceFromThenOnThoughTheWriterIsBusy) {
    std::promise<void> entered, go_on;
    ASSERT_TRUE(desk.store->post(
        [&](records::Transaction&) -> Result<void> {
            entered.set_value();
            go_on.get_future().wait();
            return {};
        },
        {}));
    entered.get_future().wait();
    Sender sender{port.number};
    sender.send(message());
    is_past(message().size());
    desk.clock.advance(seconds{2});
    go_on.set_value();
    EXPECT_EQ(field_of(sender.answer(), "MSA", 1), "AA");
    EXPECT_EQ(lease().heard_us, micros(seconds{2}));
}

TEST_F(Heard, AFrameThatIsBegunAgainFromItsSecondBeginning) {
    const std::string begun = "\x0BMSH|begun";
    Sender sender{port.number};
    sender.send(begun);
    is_past(begun.size());
    desk.clock.advance(seconds{5});
    sender.send(message());
    EXPECT_EQ(field_of(sender.answer(), "MSA", 1), "AA");
    EXPECT_EQ(lease().heard_us, 0);
}

TEST_F(Heard, TheSecondFrameOfAConnectionFromItsOwnFirstByte) {
    const std::string first = framed(std::string{ping}), all = message();
    Sender sender{port.number};
    sender.send(first + all.substr(0, 20));
    is_past(first.size() + 20);
    desk.clock.advance(seconds{4});
    sender.send(all.substr(20));
    EXPECT_EQ(sender.answer(), "PONG");
    EXPECT_EQ(field_of(sender.answer(), "MSA", 1), "AA");
    EXPECT_EQ(lease().heard_us, micros(seconds{4}));
}

TEST_F(Heard, ALineOfAnImportFromWhenItWasRead) {
    const auto report = import_csv(*desk.store, desk.releaser, ImportKind::patients,
                                   "record_number,family_name,given_name\n77,Quillfeather,Jane\n", 1'000);
    ASSERT_TRUE(report);
    ASSERT_EQ(report->stored, 1) << to_json(*report);
    EXPECT_EQ(lease().heard_us, 0);
}

} // namespace
} // namespace clinic::intake
