#include "crypto/listener/connections.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace clinic::listener {
namespace {

using namespace std::chrono_literals;

class Pair {
public:
    Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()), 0); }
    ~Pair() {
        for (const int end : ends_) ::close(end);
    }
    int ours() const { return ends_[0]; }
    bool has_ended() const {
        char byte = 0;
        return recv(ends_[1], &byte, 1, MSG_DONTWAIT) == 0;
    }

private:
    std::array<int, 2> ends_{};
};

TEST(Connections, WhoIsBeyondTheBoundOfANetworkPushesOutItsOldest) {
    Connections all{{.per_network_max = 2}};
    const Pair one, two, three, other;
    const auto first = all.admit(one.ours(), "a"), second = all.admit(two.ours(), "a"),
               far = all.admit(other.ours(), "b");
    const auto third = all.admit(three.ours(), "a");
    EXPECT_NE(third, nullptr);
    EXPECT_TRUE(one.has_ended());
    EXPECT_FALSE(two.has_ended() || three.has_ended() || other.has_ended());
    EXPECT_EQ(all.open(), 3);
    EXPECT_EQ(all.displaced(), 1);
}

TEST(Connections, WhoIsAnsweredIsNotPushedOut) {
    Connections all{{.per_network_max = 1, .answer_time_max = 60s}};
    const Pair one, two;
    const auto first = all.admit(one.ours(), "a");
    first->answers();
    EXPECT_EQ(all.admit(two.ours(), "a"), nullptr);
    EXPECT_FALSE(one.has_ended());
    EXPECT_EQ(all.refused(), 1);
    first->waits_for_request();
    EXPECT_NE(all.admit(two.ours(), "a"), nullptr);
}

TEST(Connections, WhoDoesNotTakeItsAnswerIsPushedOutAfterAWhile) {
    Connections all{{.per_network_max = 1, .answer_time_max = -1s}};
    const Pair one, two;
    const auto first = all.admit(one.ours(), "a");
    first->answers();
    EXPECT_NE(all.admit(two.ours(), "a"), nullptr);
    EXPECT_TRUE(one.has_ended());
}

TEST(Connections, WhenAllIsFullTheNetworkThatHasMostMakesRoom) {
    Connections all{{.per_network_max = 8, .all_max = 4}};
    const Pair quiet, one, two, three, late, later;
    const auto a = all.admit(quiet.ours(), "quiet"), b = all.admit(one.ours(), "crowd"),
               c = all.admit(two.ours(), "crowd"), d = all.admit(three.ours(), "crowd");
    const auto e = all.admit(late.ours(), "late");
    ASSERT_NE(e, nullptr);
    EXPECT_TRUE(one.has_ended()) << "the oldest of the crowd";
    EXPECT_FALSE(quiet.has_ended()) << "although it is older";
    const auto f = all.admit(later.ours(), "crowd");
    EXPECT_TRUE(two.has_ended());
    EXPECT_FALSE(late.has_ended());
    EXPECT_EQ(all.open(), 4);
}

std::string network(const char* address) {
    sockaddr_storage peer{};
    auto& four = reinterpret_cast<sockaddr_in&>(peer);
    auto& six = reinterpret_cast<sockaddr_in6&>(peer);
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
        peer.ss_family = AF_INET;
    } else {
        EXPECT_EQ(inet_pton(AF_INET6, address, &six.sin6_addr), 1) << address;
        peer.ss_family = AF_INET6;
    }
    return network_of(reinterpret_cast<const sockaddr&>(peer));
}

TEST(Connections, OneHostIsOneNetwork) {
    EXPECT_EQ(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    EXPECT_NE(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    EXPECT_EQ(network("::ffff:10.0.0.7"), network("10.0.0.7"));
    EXPECT_NE(network("10.0.0.7"), network("10.0.0.8"));
    EXPECT_NE(network("::ffff:10.0.0.7"), network("::ffff:10.0.0.8"));
}

TEST(Connections, AViewerIsNotCountedAgainstItsAddress) {
    Connections all{{.per_network_max = 1}};
    const Pair one, two;
    const auto viewer = all.admit(one.ours(), "10.0.0.1");
    viewer->answers();
    viewer->becomes_viewer();
    EXPECT_EQ(all.open(), 0);
    EXPECT_NE(all.admit(two.ours(), "10.0.0.1"), nullptr);
}

TEST(Connections, EndOnlyThoseWhoseRequestTakesTooLong) {
    Connections all{{}};
    const Pair slow, busy, viewing, closed;
    const auto a = all.admit(slow.ours(), "a"), b = all.admit(busy.ours(), "a"), c = all.admit(viewing.ours(), "a"),
               d = all.admit(closed.ours(), "a");
    b->answers();
    c->becomes_viewer();
    d->closes();
    all.end_overdue(std::chrono::steady_clock::now() + 16s);
    EXPECT_TRUE(slow.has_ended());
    EXPECT_FALSE(busy.has_ended());
    EXPECT_FALSE(viewing.has_ended());
    EXPECT_FALSE(closed.has_ended()) << "its number may be another connection's by now";
    EXPECT_EQ(all.overdue(), 1);
}

TEST(Connections, AdmitNobodyOnceEnded) {
    Connections all{{}};
    const Pair one, two;
    const auto open = all.admit(one.ours(), "a");
    all.end_all();
    EXPECT_TRUE(one.has_ended());
    EXPECT_EQ(all.admit(two.ours(), "a"), nullptr);
}

} // namespace
} // namespace clinic::listener
