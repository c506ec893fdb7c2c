#include "daemon/intake/mllp_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>

#include "daemon/intake/address_list.h"
#include "tests/daemon/intake/desk.h"
#include "tests/daemon/intake/mllp_port.h"
#include "tests/fakes/manual_clock.h"

namespace clinic::intake {
namespace {

using testing::Desk;
using testing::echo;
using testing::eventually;
using testing::field_of;
using testing::framed;
using testing::joined;
using testing::msh;
using testing::Port;
using testing::Sender;
using testing::serve;

TEST(MllpServer, ChecksInWhileNobodySendsAndNotWhileItHangs) {
    const base::SystemClock clock;
    fakes::ManualClock time;
    base::Vitals vitals{time};
    std::atomic<bool> entered{false}, goes_on{false};
    Port port;
    const auto server = serve(port, clock,
                              [&](const Frame& frame, const MllpServer::Answer& answer) {
                                  entered = true;
                                  while (!goes_on) std::this_thread::yield();
                                  echo(frame, answer);
                              },
                              {.pulse = vitals.join("intake", std::chrono::seconds{60})});
    time.advance(std::chrono::seconds{61});
    EXPECT_TRUE(eventually([&] { return !vitals.overdue(); }));
    Sender sender{port.number};
    sender.send(framed("MSH|1"));
    ASSERT_TRUE(eventually([&] { return entered.load(); }));
    time.advance(std::chrono::seconds{61});
    EXPECT_TRUE(vitals.overdue());
    goes_on = true;
    EXPECT_EQ(sender.answer(), "MSH|1");
    EXPECT_TRUE(eventually([&] { return !vitals.overdue(); }));
}

TEST(MllpServer, AnswersEachFrameWhereverItIsSplit) {
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, echo);
    Sender sender{port.number};
    const std::string frame = framed("MSH|one");
    for (std::size_t at = 0; at <= frame.size(); ++at) {
        sender.send(frame.substr(0, at));
        sender.send(frame.substr(at));
        ASSERT_EQ(sender.answer(), "MSH|one") << at;
    }
    EXPECT_EQ(server->numbers().frames, frame.size() + 1);
}

// The handler answers backwards; the sender reads forwards.
TEST(MllpServer, AnswersInTheOrderOfTheFrames) {
    Port port;
    base::SystemClock clock;
    std::mutex mutex;
    std::vector<std::pair<std::string, MllpServer::Answer>> waiting;
    const auto server = serve(port, clock, [&](Frame frame, MllpServer::Answer answer) {
        const std::scoped_lock lock{mutex};
        waiting.emplace_back(std::move(frame.bytes), std::move(answer));
        if (waiting.size() < 20) return;
        for (; !waiting.empty(); waiting.pop_back()) waiting.back().second(waiting.back().first);
    });
    Sender sender{port.number};
    std::string all;
    for (int number = 0; number < 20; ++number) all += framed(std::to_string(number));
    sender.send(all);
    for (int number = 0; number < 20; ++number) EXPECT_EQ(sender.answer(), std::to_string(number));
}

TEST(MllpServer, HoldsBackASenderThatDoesNotWait) {
    Port port;
    base::SystemClock clock;
    std::mutex mutex;
    std::vector<MllpServer::Answer> waiting;
    const auto server = serve(port, clock,
                              [&](const Frame&, MllpServer::Answer answer) {
                                  const std::scoped_lock lock{mutex};
                                  waiting.push_back(std::move(answer));
                              },
                              {.pending_frames_max = 4});
    Sender sender{port.number};
    std::string all;
    for (int number = 0; number < 100; ++number) all += framed("x");
    sender.send(all);
    int answered = 0;
    while (answered < 100) {
        ASSERT_TRUE(eventually([&] {
            const std::scoped_lock lock{mutex};
            return !waiting.empty();
        }));
        const std::scoped_lock lock{mutex};
        EXPECT_LE(waiting.size(), 4U);
        for (const auto& answer : waiting) answer(std::to_string(answered++));
        waiting.clear();
    }
    for (int number = 0; number < 100; ++number) EXPECT_EQ(sender.answer(), std::to_string(number));
}

TEST(MllpServer, SaysNothingWhereNothingIsToBeSaid) {
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, [](const Frame& frame, const MllpServer::Answer& answer) {
        answer(frame.bytes == "quiet" ? "" : frame.bytes);
    });
    Sender sender{port.number};
    sender.send(framed("quiet") + framed("loud"));
    EXPECT_EQ(sender.answer(), "loud");
}

TEST(MllpServer, TakesAnEndWithoutReturnAfterAMomentOrAtTheEnd) {
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, echo);
    Sender sender{port.number};
    sender.send("\x0Bone\x1C");
    EXPECT_EQ(sender.answer(), "one");
    sender.send("\x0Btwo\x1C");
    sender.end();
    EXPECT_EQ(sender.answer(), "two");
    EXPECT_TRUE(sender.is_closed());
    EXPECT_EQ(server->numbers().bare_ends, 2U);
}

TEST(MllpServer, MarksADamagedFrame) {
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, echo);
    Sender sender{port.number};
    sender.send("\x0Bhalf\x1Chalf\x1C\r" + framed("whole"));
    EXPECT_EQ(sender.answer(), "!half half");
    EXPECT_EQ(sender.answer(), "whole");
}

TEST(MllpServer, AnswersASenderThatHasClosedItsSide) {
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, echo);
    Sender sender{port.number};
    sender.send(framed("last words"));
    sender.end();
    EXPECT_EQ(sender.answer(), "last words");
    EXPECT_TRUE(sender.is_closed());
}

TEST(MllpServer, HangsUpOnOtherProtocols) {
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, echo);
    for (const std::string& bytes : {std::string{"GET / HTTP/1.1\r\n\r\n"}, std::string{"\x16\x03\x01\x02\x03"},
                                     std::string(junk_bytes_max + 100, 'j')}) {
        Sender sender{port.number};
        sender.send(bytes);
        EXPECT_EQ(sender.answer(), "");
        EXPECT_TRUE(sender.is_closed());
    }
    const auto numbers = server->numbers();
    EXPECT_EQ(numbers.not_mllp, 2U);
    EXPECT_EQ(numbers.junk, 1U);
    EXPECT_EQ(numbers.frames, 0U);
}

// The sender is still writing when we know that it is too much: its answer must reach it all the same.
TEST(MllpServer, AnswersAFrameAboveItsBoundAndThenCloses) {
    Desk desk;
    Port port;
    const auto server = serve(port, desk.clock, [&desk](Frame frame, MllpServer::Answer answer) {
        desk.ingest->message(std::move(frame), std::move(answer));
    });
    Sender sender{port.number};
    sender.send(framed(joined({msh("ADT^A04", "1"), "PID|1||1^^^HOSP^MR"})));
    sender.send(
        framed(joined({msh("ADT^A04", "too-long"), "PID|1||10^^^HOSP^MR", "NTE|1||" + std::string(9'000'000, 'x')})));
    EXPECT_EQ(field_of(sender.answer(), "MSA", 1), "AA");
    const std::string answer = sender.answer();
    EXPECT_EQ(field_of(answer, "MSA", 1), "AR");
    EXPECT_EQ(field_of(answer, "MSA", 2), "too-long");
    EXPECT_EQ(field_of(answer, "ERR", 3), "104^Value too long^HL70357");
    EXPECT_TRUE(sender.is_closed());
    EXPECT_EQ(desk.books().refused, 1);
    EXPECT_EQ(desk.books().received, 2);
    EXPECT_TRUE(desk.books().balanced());
    EXPECT_EQ(server->numbers().oversized, 1U);
    sender.end();
    EXPECT_TRUE(eventually([&] { return server->numbers().open == 0; }));
}

TEST(MllpServer, EndsWithASenderThatDoesNotStopAboveTheBound) {
    Port port;
    fakes::ManualClock clock;
    const auto server = serve(port, clock, echo, {.frame_bytes_max = 100, .thrown_away_bytes_max = 1'000'000});
    Sender endless{port.number};
    endless.send("\x0BMSH|" + std::string(3'000'000, 'x'));
    EXPECT_TRUE(eventually([&] { return server->numbers().open == 0; })) << "by its bytes";
    Sender still{port.number};
    still.send("\x0BMSH|" + std::string(200, 'x'));
    EXPECT_EQ(still.answer().substr(0, 5), "!MSH|");
    EXPECT_EQ(server->numbers().open, 1U);
    EXPECT_TRUE(eventually([&] {
        clock.advance(std::chrono::seconds{11});
        return server->numbers().open == 0;
    })) << "by time, when it does not close";
}

TEST(MllpServer, BooksEachFrameThatBeganAndDidNotEnd) {
    Desk desk;
    Port port;
    auto server = serve(port, desk.clock, [&desk](Frame frame, MllpServer::Answer answer) {
        desk.ingest->message(std::move(frame), std::move(answer));
    });
    {
        Sender left{port.number};
        left.send("\x0BMSH|one that ends with the connection");
    }
    Sender again{port.number};
    again.send("\x0BMSH|begun, and begun again" + framed(joined({msh("ADT^A04", "1"), "PID|1||1^^^HOSP^MR"})));
    EXPECT_EQ(field_of(again.answer(), "MSA", 1), "AA");
    EXPECT_TRUE(eventually([&] { return desk.books().refused == 2; }));
    const auto before = server->numbers().bytes;
    again.send("\x0BMSH|one that ends with the server");
    EXPECT_TRUE(eventually([&] { return server->numbers().bytes > before; }));
    server->stop();
    EXPECT_TRUE(eventually([&] { return desk.books().refused == 3; }));
    EXPECT_EQ(server->numbers().lost, 3U);
    const auto books = desk.books();
    EXPECT_EQ(books.received, 4);
    EXPECT_TRUE(books.balanced());
}

TEST(MllpServer, EndsAFrameThatTakesForEver) {
    for (const char* byte : {"x", "\x0B"}) { // one that goes on, and one that begins again and again
        Port port;
        fakes::ManualClock clock;
        const auto server = serve(port, clock, echo);
        Sender slow{port.number};
        slow.send("\x0BMSH|");
        std::uint64_t sent = 5;
        for (int round = 0; round < 14 && server->numbers().timed_out == 0; ++round) { // each 50 s: never a gap
            ASSERT_TRUE(eventually([&] { return server->numbers().bytes == sent || server->numbers().timed_out > 0; }));
            clock.advance(std::chrono::seconds{50});
            if (server->numbers().timed_out > 0) break;
            slow.send(byte);
            ++sent;
        }
        EXPECT_TRUE(eventually([&] { return server->numbers().timed_out == 1; })) << "after ten minutes";
        EXPECT_TRUE(slow.is_closed());
    }
}

TEST(MllpServer, LetsInOnlyListedAddressesAndSoMany) {
    base::SystemClock clock;
    Port closed;
    const auto shut = serve(closed, clock, echo, {.allowed = {"10.0.0.0/8", "::1"}});
    Sender stranger{closed.number};
    EXPECT_TRUE(stranger.is_closed());
    EXPECT_EQ(shut->numbers().refused_address, 1U);

    Port port;
    const auto server = serve(port, clock, echo, {.connections_per_address_max = 2});
    Sender first{port.number}, second{port.number};
    first.send(framed("1"));
    second.send(framed("2"));
    EXPECT_EQ(first.answer(), "1");
    EXPECT_EQ(second.answer(), "2");
    Sender third{port.number};
    EXPECT_TRUE(third.is_closed());
    EXPECT_EQ(server->numbers().refused_full, 1U);
}

TEST(MllpServer, EndsWhatStandsStill) {
    Port port;
    fakes::ManualClock clock;
    const auto server = serve(port, clock, echo);
    Sender unfinished{port.number}, idle{port.number};
    idle.send(framed("here"));
    EXPECT_EQ(idle.answer(), "here");
    const std::string frames = framed("here"), half = "\x0BMSH|never ends";
    unfinished.send(half);
    ASSERT_TRUE(eventually([&] { return server->numbers().bytes == frames.size() + half.size(); }));
    clock.advance(std::chrono::minutes{2});
    EXPECT_TRUE(unfinished.is_closed()) << "no byte of its frame for two minutes";
    idle.send(framed("still here"));
    EXPECT_EQ(idle.answer(), "still here") << "between messages a sender may be silent for hours";
    clock.advance(std::chrono::hours{5});
    EXPECT_TRUE(idle.is_closed());
    EXPECT_EQ(server->numbers().timed_out, 2U);
}

TEST(MllpServer, AnswersWhatIsPendingWhenItStops) {
    Port port;
    base::SystemClock clock;
    std::mutex mutex;
    std::vector<MllpServer::Answer> waiting;
    const auto server = serve(port, clock, [&](const Frame&, MllpServer::Answer answer) {
        const std::scoped_lock lock{mutex};
        waiting.push_back(std::move(answer));
    });
    Sender sender{port.number};
    sender.send(framed("one"));
    ASSERT_TRUE(eventually([&] {
        const std::scoped_lock lock{mutex};
        return !waiting.empty();
    }));
    std::jthread stopping{[&] { server->stop(); }};
    waiting.front()("AA");
    EXPECT_EQ(sender.answer(), "AA");
    EXPECT_TRUE(sender.is_closed());
    stopping.join();
    waiting.front()("too late"); // the mailbox outlives the server
    EXPECT_EQ(server->numbers().open, 0U);
}

TEST(MllpServer, RefusesOptionsItCannotKeep) {
    base::SystemClock clock;
    Port port;
    EXPECT_FALSE(MllpServer::start(std::move(port.listener), {.allowed = {"10.0.0.0/33"}}, clock, echo));
    Port other;
    EXPECT_FALSE(
        MllpServer::start(std::move(other.listener), {.frame_bytes_max = frame_bytes_highest + 1}, clock, echo));
}

// Many senders at a real store: each positive answer is a record that is there.
TEST(MllpServer, StoresTheMessagesOfManySenders) {
    constexpr int senders = 50, each = 40;
    Desk desk;
    Port port;
    const auto server = serve(
        port, desk.clock,
        [&desk](Frame frame, MllpServer::Answer answer) { desk.ingest->message(std::move(frame), std::move(answer)); },
        {.connections_per_address_max = senders});
    std::atomic<int> positive{0};
    {
        std::vector<std::jthread> threads;
        threads.reserve(senders);
        for (int number = 0; number < senders; ++number)
            threads.emplace_back([&, number] {
                Sender sender{port.number};
                std::string all;
                for (int message = 0; message < each; ++message) {
                    const std::string id = std::to_string(number) + "-" + std::to_string(message);
                    all += framed(joined({msh("ADT^A04", id), "PID|1||" + id + "^^^HOSP^MR||Doe^Jane"}));
                }
                sender.send(all);
                for (int message = 0; message < each; ++message) {
                    const std::string answer = sender.answer();
                    EXPECT_EQ(field_of(answer, "MSA", 2), std::to_string(number) + "-" + std::to_string(message));
                    if (field_of(answer, "MSA", 1) == "AA") ++positive;
                }
            });
    }
    EXPECT_EQ(positive, senders * each);
    EXPECT_EQ(desk.count("SELECT count(*) FROM patient"), senders * each);
    const auto books = desk.books();
    EXPECT_EQ(books.stored, senders * each);
    EXPECT_TRUE(books.balanced());
}

// Senders go on while it stops: what was stored was answered, and what was answered is stored.
TEST(MllpServer, AnswersAllThatIsStoredWhenItStopsUnderLoad) {
    constexpr int senders = 4, rounds = 30;
    Desk desk;
    std::atomic<int> positive{0}, ids{0};
    for (int round = 0; round < rounds; ++round) {
        Port port;
        const auto server = serve(port, desk.clock, [&desk](Frame frame, MllpServer::Answer answer) {
            desk.ingest->message(std::move(frame), std::move(answer));
        });
        const int enough = positive + 20 + round;
        std::vector<std::jthread> threads;
        for (int number = 0; number < senders; ++number)
            threads.emplace_back([&] {
                Sender sender{port.number};
                for (std::string answer = "MSA|AA"; field_of(answer, "MSA", 1) == "AA"; answer = sender.answer()) {
                    positive += answer == "MSA|AA" ? 0 : 1;
                    const std::string id = std::to_string(++ids);
                    sender.send(framed(joined({msh("ADT^A04", id), "PID|1||" + id + "^^^HOSP^MR||Doe^Jane"})));
                }
            });
        ASSERT_TRUE(eventually([&] { return positive > enough; }));
        server->stop();
        threads.clear();
        ASSERT_EQ(desk.books().stored, positive) << "round " << round;
    }
}

TEST(MllpServer, ServesFiveHundredConnectionsAtOnce) {
    constexpr std::size_t connections = 500;
    Port port;
    base::SystemClock clock;
    const auto server = serve(port, clock, echo, {.connections_per_address_max = connections});
    std::vector<std::unique_ptr<Sender>> senders;
    for (std::size_t number = 0; number < connections; ++number)
        senders.push_back(std::make_unique<Sender>(port.number));
    for (std::size_t number = 0; number < connections; ++number) senders[number]->send(framed(std::to_string(number)));
    for (std::size_t number = 0; number < connections; ++number)
        EXPECT_EQ(senders[number]->answer(), std::to_string(number));
}

Address ip(const char* text) {
    sockaddr_storage storage{};
    in_addr ip4;
    if (inet_pton(AF_INET, text, &ip4) == 1) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr = ip4;
        std::memcpy(&storage, &address, sizeof address);
    } else {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        EXPECT_EQ(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
        std::memcpy(&storage, &address, sizeof address);
    }
    return address_of(storage);
}

TEST(AddressList, HoldsAddressesAndBlocksOfBothFamilies) {
    const auto list = AddressList::parse({"192.168.7.0/25", "10.1.2.3", "fd00:1::/32", "::1"});
    ASSERT_TRUE(list);
    for (const char* inside : {"192.168.7.0", "192.168.7.127", "10.1.2.3", "fd00:1:ffff::9", "::1", "::ffff:10.1.2.3"})
        EXPECT_TRUE(list->contains(ip(inside))) << inside;
    for (const char* outside : {"192.168.7.128", "10.1.2.4", "fd00:2::", "::2", "0.0.0.0", "::"})
        EXPECT_FALSE(list->contains(ip(outside))) << outside;
    EXPECT_TRUE(AddressList::parse({"0.0.0.0/0"})->contains(ip("8.8.8.8")));
    EXPECT_FALSE(AddressList::parse({"0.0.0.0/0"})->contains(ip("fd00::1"))) << "all of IPv4 is not IPv6";
    EXPECT_FALSE(AddressList::parse({})->contains(ip("127.0.0.1")));
    for (const char* bad :
         {"", "localhost", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.1/", "10.0.0.1/x", "10.0.0.1/-1"})
        EXPECT_FALSE(AddressList::parse({bad})) << bad;
}

} // namespace
} // namespace clinic::intake
