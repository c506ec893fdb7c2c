// The sockets that the service manager hands over: each finds its place by its name, and none is left without one.
#include "daemon/sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/fakes/temp_folder.h"

namespace clinic::daemon {
namespace {

constexpr int first_handed = 3;
constexpr int stray = 40; // above all that is handed over

base::UniqueFd bound(int family, bool listens = true) {
    base::UniqueFd made{socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage here{};
    here.ss_family = static_cast<sa_family_t>(family);
    EXPECT_EQ(bind(made.get(), reinterpret_cast<const sockaddr*>(&here),
                   family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)),
              0);
    EXPECT_TRUE(!listens || listen(made.get(), 1) == 0);
    return made;
}

// A process to which sockets were handed over under these names: its end says what became of them. Never returns.
[[noreturn]] void take(const std::vector<const char*>& names, bool listening = true) {
    std::vector<int> above;
    std::string all;
    for (const char* name : names) {
        above.push_back(fcntl(bound(AF_INET, listening).get(), F_DUPFD, stray + 1));
        (all += all.empty() ? "" : ":") += name;
    }
    for (std::size_t i = 0; i < above.size(); ++i) dup2(above[i], first_handed + static_cast<int>(i));
    dup2(STDERR_FILENO, stray);
    if (!names.empty()) {
        setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
        setenv("LISTEN_FDS", std::to_string(names.size()).c_str(), 1);
        setenv("LISTEN_FDNAMES", all.c_str(), 1);
    }
    const auto taken = take_sockets();
    if (!taken) {
        std::fprintf(stderr, "%s; %s\n", taken.error().what.c_str(), taken.error().remedy.c_str());
        std::exit(1);
    }
    const auto placed = [](const base::UniqueFd& socket, int number) { return socket.get() == first_handed + number; };
    const bool right = placed(taken->egress, 0) && placed(taken->control, 1) && placed(taken->mllp, 2) &&
                       placed(taken->https, 3) && (names.size() == 4 ? !taken->mllps : placed(taken->mllps, 4));
    const bool closed = fcntl(stray, F_GETFD) == -1;
    std::fprintf(stderr, "%s %s\n", right ? "placed" : "misplaced", closed ? "closed" : "open");
    std::exit(0);
}

TEST(SocketsDeathTest, GoWhereTheirNamesSayAndWhatElseIsOpenIsClosed) {
    EXPECT_EXIT(take({"egress", "control", "mllp", "https"}), testing::ExitedWithCode(0), "placed closed");
    EXPECT_EXIT(take({"egress", "control", "mllp", "https", "mllps"}), testing::ExitedWithCode(0), "placed closed");
}

TEST(SocketsDeathTest, EachThatIsNeededIsMissed) {
    const std::vector<const char*> all{"egress", "control", "mllp", "https"};
    for (std::size_t missing = 0; missing < all.size(); ++missing) {
        auto rest = all;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(missing));
        EXPECT_EXIT(take(rest), testing::ExitedWithCode(1), "are not handed over; start clinicd by its socket units");
    }
    EXPECT_EXIT(take({}), testing::ExitedWithCode(1), "are not handed over");
}

// The service manager goes on listening to what we drop: a sender would connect and wait for ever.
TEST(SocketsDeathTest, NoneIsDroppedWithoutAWord) {
    EXPECT_EXIT(take({"egress", "control", "mllp", "mllp", "https"}), testing::ExitedWithCode(1),
                "two sockets are handed over under one name; give each");
    EXPECT_EXIT(take({"egress", "control", "mllp", "https", "mlps"}), testing::ExitedWithCode(1),
                "under a name that clinicd does not know; name it https, mllp, mllps, control or egress");
}

TEST(SocketsDeathTest, WhatDoesNotListenIsRefused) {
    EXPECT_EXIT(take({"egress", "control", "mllp", "https"}, false), testing::ExitedWithCode(1),
                "is not a listening socket; see the .socket unit");
}

TEST(Sockets, SayTheirPort) {
    for (const int family : {AF_INET, AF_INET6}) {
        const auto socket = bound(family);
        sockaddr_in6 here{}; // both families have the port in the same place
        socklen_t size = sizeof here;
        ASSERT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&here), &size), 0);
        EXPECT_NE(port_of(socket), 0);
        EXPECT_EQ(port_of(socket), ntohs(here.sin6_port));
    }
    const fakes::TempFolder folder;
    const base::UniqueFd door{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strcpy(path.sun_path, (folder / "door").c_str());
    ASSERT_EQ(bind(door.get(), reinterpret_cast<const sockaddr*>(&path), sizeof path), 0);
    EXPECT_EQ(port_of(door), 0);
    EXPECT_EQ(port_of(base::UniqueFd{}), 0);
}

TEST(Sockets, AnotherOneOutlivesTheFirst) {
    auto first = bound(AF_INET);
    const auto port = port_of(first);
    const auto second = another(first);
    ASSERT_TRUE(second);
    first.reset();
    EXPECT_EQ(port_of(*second), port);
    EXPECT_NE(fcntl(second->get(), F_GETFD) & FD_CLOEXEC, 0);
    const auto none = another(first);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().native, EBADF);
}

} // namespace
} // namespace clinic::daemon
