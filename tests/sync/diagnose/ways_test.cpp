// How far a way is open, against real far sides that fail in each way.
#include "sync/diagnose/ways.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/diagnose/names.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::diagnose {
namespace {

using namespace std::chrono_literals;

// A port whose other end says nothing of TLS.
class Bare {
public:
    // `said`: to each caller, once it has said something; null: nothing is ever said. `hangs_up`: at once.
    Bare(const char* said, bool hangs_up) : said_{said}, hangs_up_{hangs_up} {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        open_ = bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                listen(listener_.get(), 4) == 0 &&
                getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
        port_ = ntohs(address.sin_port);
    }
    std::uint16_t port() const {
        EXPECT_TRUE(open_);
        return port_;
    }

private:
    void serve(const std::stop_token& stop) const {
        std::vector<base::UniqueFd> callers;
        while (!stop.stop_requested()) {
            pollfd ready{listener_.get(), POLLIN, 0};
            if (poll(&ready, 1, 20) != 1) continue;
            base::UniqueFd caller{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
            if (!caller) continue;
            char first = 0;
            if (hangs_up_ || (said_ != nullptr && recv(caller.get(), &first, 1, 0) == 1 &&
                              send(caller.get(), said_, std::char_traits<char>::length(said_), MSG_NOSIGNAL) < 0))
                continue;
            callers.push_back(std::move(caller));
        }
    }
    const char* said_;
    bool hangs_up_, open_ = false;
    std::uint16_t port_ = 0;
    // The thread begins before the socket listens: what poll sees then is no caller.
    base::UniqueFd listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    std::jthread thread_{[this](const std::stop_token& stop) { serve(stop); }};
};

struct Ways : testing::Test {
    fakes::TempFolder folder;
    support::Authority ours{folder.path(), "ours"};
    static constexpr Bounds short_bounds{.name = 500ms, .connect = 500ms, .handshake = 500ms, .all = 2'000ms};

    Way way(std::uint16_t port, const char* host = "127.0.0.1") const {
        return look({host, port, ours.pem()}, short_bounds, {});
    }
    static support::Sent nothing(const support::Received&) { return support::answer(200, "{}"); }
};

TEST_F(Ways, OneThatIsOpenSaysWhoAnswers) {
    const support::ScriptedHttps server{ours.issue("ghl", "IP:127.0.0.1", 20), nothing};
    const Way seen = way(server.port());
    EXPECT_EQ(seen.dns, Step::ok);
    EXPECT_EQ(seen.tcp, Step::ok);
    EXPECT_EQ(seen.tls, Step::ok);
    EXPECT_EQ(seen.issuer, "ours");
    EXPECT_TRUE(seen.days_left == 19 || seen.days_left == 20) << seen.days_left;
    EXPECT_TRUE(server.received().empty()) << "nothing is asked of it";
}

TEST_F(Ways, AFirewallThatOpensTlsIsNamed) {
    const support::Authority firewall{folder.path(), "Corporate Firewall CA"};
    const support::ScriptedHttps server{firewall.issue("ghl", "IP:127.0.0.1"), nothing};
    const Way seen = way(server.port());
    EXPECT_EQ(seen.tls, Step::issuer);
    EXPECT_EQ(seen.issuer, "Corporate Firewall CA");
    EXPECT_TRUE(server.received().empty());
}

TEST_F(Ways, ACertificateThatHasExpired) {
    const support::ScriptedHttps server{ours.issue("ghl", "IP:127.0.0.1", -1), nothing};
    EXPECT_EQ(way(server.port()).tls, Step::expired);
}

TEST_F(Ways, AnotherHostsCertificate) {
    const support::ScriptedHttps server{ours.issue("portal", "DNS:portal.example"), nothing};
    EXPECT_EQ(way(server.port()).tls, Step::other_name);
}

TEST_F(Ways, APortalThatSpeaksNoTls) {
    const Bare portal{"HTTP/1.1 400 Bad Request\r\n\r\n", false};
    const Way seen = way(portal.port());
    EXPECT_EQ(seen.tcp, Step::ok);
    EXPECT_EQ(seen.tls, Step::plain);
}

TEST_F(Ways, OneThatIsCutWhenTlsBegins) {
    const Bare cutter{nullptr, true};
    EXPECT_EQ(way(cutter.port()).tls, Step::cut);
}

TEST_F(Ways, OneThatIsSilentWhenTlsBegins) {
    const Bare silent{nullptr, false};
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(way(silent.port()).tls, Step::timeout);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
}

TEST_F(Ways, AStopEndsTheWait) {
    const Bare silent{nullptr, false};
    std::stop_source stop;
    const auto begun = std::chrono::steady_clock::now();
    const std::jthread stopper{[&] { stop.request_stop(); }};
    look({"127.0.0.1", silent.port(), ours.pem()}, {}, stop.get_token());
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
}

TEST_F(Ways, APortThatIsRefused) {
    std::uint16_t port = 0;
    {
        const Bare gone{nullptr, true};
        port = gone.port();
    }
    const Way seen = way(port);
    EXPECT_EQ(seen.tcp, Step::refused);
    EXPECT_EQ(seen.tls, Step::not_tried);
}

TEST_F(Ways, WithoutARouteOrANameItSaysSo) {
    if (geteuid() != 0) GTEST_SKIP() << "a network of one's own needs root";
    Way far, unknown, silent;
    ASSERT_TRUE(in_own_network(Names::none_known, [&] {
        far = way(443, "192.0.2.1");
        unknown = look({"services.example.test", 443, ours.pem()}, {}, {});
    }));
    ASSERT_TRUE(in_own_network(Names::silent, [&] { silent = way(443, "services.example.test"); }));
    EXPECT_EQ(far.dns, Step::ok);
    EXPECT_EQ(far.tcp, Step::unreachable);
    EXPECT_EQ(unknown.dns, Step::no_name);
    EXPECT_EQ(unknown.tcp, Step::not_tried);
    EXPECT_EQ(silent.dns, Step::timeout);
}

} // namespace
} // namespace clinic::diagnose
