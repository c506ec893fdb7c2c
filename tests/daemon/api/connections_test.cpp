#include "daemon/api/connections.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace clinic::api {
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

TEST(Connections, BoundEachAddressAndNoOther) {
    Connections all{2, 15s};
    const Pair one, two, three;
    auto first = all.admit(one.ours(), "10.0.0.1");
    auto second = all.admit(two.ours(), "10.0.0.1");
    EXPECT_EQ(all.admit(three.ours(), "10.0.0.1"), nullptr);
    EXPECT_NE(all.admit(three.ours(), "10.0.0.2"), nullptr);
    first.reset();
    EXPECT_NE(all.admit(three.ours(), "10.0.0.1"), nullptr);
    EXPECT_EQ(all.refused(), 1);
}

TEST(Connections, AViewerIsNotCountedAgainstItsAddress) {
    Connections all{1, 15s};
    const Pair one, two;
    const auto viewer = all.admit(one.ours(), "10.0.0.1");
    viewer->answers();
    viewer->becomes_viewer();
    EXPECT_EQ(all.open(), 0);
    EXPECT_NE(all.admit(two.ours(), "10.0.0.1"), nullptr);
}

TEST(Connections, EndOnlyThoseWhoseRequestTakesTooLong) {
    Connections all{8, 15s};
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
    Connections all{8, 15s};
    const Pair one, two;
    const auto open = all.admit(one.ours(), "a");
    all.end_all();
    EXPECT_TRUE(one.has_ended());
    EXPECT_EQ(all.admit(two.ours(), "a"), nullptr);
}

} // namespace
} // namespace clinic::api
