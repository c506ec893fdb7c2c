#include "daemon/api/api_server.h"

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/certificates/certificates.h"
#include "tests/daemon/https/tls_client.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::api {
namespace {

using https::connect_to;
using https::make_certificate;
using https::Response;
using https::TlsClient;

using namespace std::chrono_literals;

class Api : public ::testing::Test {
protected:
    void SetUp() override {
        std::signal(SIGPIPE, SIG_IGN);
        make_certificate(folder_.path());
    }

    void serve(Options options = {}) {
        base::UniqueFd listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
        ASSERT_EQ(listen(listener.get(), 512), 0);
        ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
        options.certificate = folder_ / "certificate.pem";
        options.key = folder_ / "key.pem";
        options.hosts = {"box.clinic.example"};
        auto made = ApiServer::make(options, std::move(listener), health_);
        ASSERT_TRUE(made) << made.error().what.c_str();
        server_ = std::move(*made);
    }

    std::string text_of(const char* file) const { return *base::read_text(folder_ / file, 65'536); }

    template <class Condition>
    static bool becomes(const Condition& condition, std::chrono::seconds within = 20s) {
        const auto until = std::chrono::steady_clock::now() + within;
        while (!condition())
            if (std::chrono::steady_clock::now() > until)
                return false;
            else
                std::this_thread::yield();
        return true;
    }

    // A viewer that has its first event.
    std::unique_ptr<TlsClient> viewer() const {
        auto client = std::make_unique<TlsClient>(port_);
        client->send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        EXPECT_TRUE(client->read_until("data: "));
        EXPECT_TRUE(client->read_until("}\n\n"));
        client->take("}\n\n");
        return client;
    }

    fakes::TempFolder folder_;
    base::SystemClock clock_;
    health::Health health_{{.box = "demo-1", .version = "0.1.0", .records = folder_.path()}, clock_};
    int port_ = 0;
    std::unique_ptr<ApiServer> server_;
};

constexpr const char* routes[] = {
    "/",           "/help/E2102", "/assets/app.js", "/assets/style.css", "/assets/icon.svg", "/api/v1/status",
    "/api/health", "/metrics",    "/trust"};

TEST_F(Api, AnswersEachRouteOnOneConnection) {
    serve();
    TlsClient client{port_};
    ASSERT_TRUE(client.connected());
    for (const std::string path : routes) {
        const auto answer = client.get(path);
        EXPECT_EQ(answer.status, path == "/api/health" ? 503 : 200) << path; // no store: alive and not ready
        EXPECT_FALSE(answer.body.empty()) << path;
        EXPECT_EQ(answer.headers.at("Cache-Control"), "no-store") << path;
        EXPECT_EQ(answer.headers.at("X-Content-Type-Options"), "nosniff") << path;
        EXPECT_EQ(answer.headers.at("Referrer-Policy"), "no-referrer") << path;
        const auto& policy = answer.headers.at("Content-Security-Policy");
        EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << path;
        EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << path;
        EXPECT_EQ(policy.find("unsafe"), std::string::npos) << path;
    }
}

// The box's own authority can be installed from the page that it signed; anybody else's is no matter of ours.
TEST_F(Api, WhoSignedThePageCanBeTrusted) {
    serve();
    const auto fingerprint = certificates::look(text_of("certificate.pem"))->fingerprint;
    EXPECT_EQ(TlsClient{port_}.get("/trust").body.find(fingerprint), std::string::npos);
    EXPECT_EQ(TlsClient{port_}.get("/trust/clinic-edge.crt").status, 404);
    serve({.authority = folder_ / "certificate.pem"}); // it signed itself
    EXPECT_NE(TlsClient{port_}.get("/trust").body.find(fingerprint), std::string::npos);
    const auto offered = TlsClient{port_}.get("/trust/clinic-edge.crt");
    EXPECT_EQ(offered.status, 200);
    EXPECT_EQ(offered.headers.at("Content-Type"), "application/x-x509-ca-cert");
    EXPECT_EQ(offered.body, text_of("certificate.pem"));
    std::ofstream{folder_ / "other.pem"} << "none";
    serve({.authority = folder_ / "other.pem"});
    EXPECT_EQ(TlsClient{port_}.get("/trust/clinic-edge.crt").status, 404);
}

TEST_F(Api, HeadIsTheHeadOfGet) {
    serve();
    TlsClient client{port_};
    for (const std::string path : routes) {
        client.send("HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const auto head = client.response(false);
        EXPECT_EQ(head.status, path == "/api/health" ? 503 : 200) << path;
        EXPECT_GT(std::stoi(head.headers.at("Content-Length")), 0) << path;
    }
    client.send("HEAD /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(client.response(false).headers.at("Content-Type"), "text/event-stream");
    EXPECT_TRUE(client.is_over());
}

TEST_F(Api, DocumentsAreWhatTheySay) {
    serve();
    TlsClient client{port_};
    EXPECT_TRUE(base::parse_json(client.get("/api/v1/status").body, 65'536, 8));
    const auto health = base::parse_json(client.get("/api/health").body, 1'024, 2);
    ASSERT_TRUE(health);
    EXPECT_EQ(health->at("alive"), true);
    EXPECT_EQ(health->at("ready"), false);
    EXPECT_EQ(health->at("mode"), "locked");
    const auto metrics = client.get("/metrics");
    EXPECT_EQ(metrics.headers.at("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_NE(metrics.body.find("clinic_http_viewers 0\n"), std::string::npos);
}

TEST_F(Api, RefusesEveryOtherMethodAndRoute) {
    serve();
    for (const std::string method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
        TlsClient client{port_};
        const auto answer =
            client.ask(method + " /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
        EXPECT_EQ(answer.status, 405) << method;
        EXPECT_EQ(answer.headers.at("Allow"), "GET, HEAD") << method;
        EXPECT_EQ(base::parse_json(answer.body, 1'024, 2)->at("error"), "method_not_allowed");
        EXPECT_TRUE(client.is_over()) << method;
    }
    TlsClient client{port_};
    for (const char* path :
         {"/x", "/api/v1/", "/api/v1/patients", "/assets/index.html", "/help/E9999", "//", "/..", "/%2e%2e/etc/passwd"})
        EXPECT_EQ(client.get(path).status, 404) << path;
    EXPECT_EQ(client.ask("POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").status, 404);
    EXPECT_TRUE(client.is_over());
}

TEST_F(Api, ASmuggledRequestIsNeverAnswered) {
    serve();
    const std::string inner = "GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const std::string length = "Content-Length: " + std::to_string(inner.size()) + "\r\n";
    const std::pair<std::string, int> requests[] = {
        {"POST / HTTP/1.1\r\nHost: localhost\r\n" + length + "\r\n" + inner, 405},
        {"POST /nowhere HTTP/1.1\r\nHost: localhost\r\n" + length + "\r\n" + inner, 404},
        {"GET / HTTP/1.1\r\nHost: localhost\r\n" + length + "\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + length + "\r\n0\r\n\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + length + "\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\n\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" + inner, 421},
        {"GET https://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n" + inner, 400},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n" + inner, 400},
    };
    for (const auto& [request, status] : requests) {
        TlsClient client{port_};
        auto answer = client.ask(request);
        EXPECT_EQ(answer.status, status) << request;
        EXPECT_EQ(answer.headers["Connection"], "Close") << request;
        EXPECT_TRUE(client.is_over()) << request;
    }
}

TEST_F(Api, TalksTls13Alone) {
    serve();
    EXPECT_FALSE((TlsClient{port_, TLS1_2_VERSION}.connected()));
    EXPECT_TRUE(TlsClient{port_}.connected());
}

TEST_F(Api, AnUpdateReachesAViewerWithinASecond) {
    serve();
    const auto watching = viewer();
    for (int i = 0; i < 5; ++i) {
        const auto told = std::chrono::steady_clock::now();
        health_.set_mode(i % 2 == 0 ? health::Mode::damaged : health::Mode::locked, Error{Errc::corrupt, "test"});
        ASSERT_TRUE(watching->read_until(i % 2 == 0 ? "\"mode\":\"damaged\"" : "\"mode\":\"locked\"", 2s));
        EXPECT_LT(std::chrono::steady_clock::now() - told, 1s);
        ASSERT_TRUE(watching->read_until("}\n\n"));
        const std::string event = watching->take("}\n\n");
        const auto data = event.find("data: ");
        EXPECT_TRUE(base::parse_json(event.substr(data + 6), 65'536, 8)) << event;
    }
}

TEST_F(Api, ALotOfChangesAreFewEventsAndTheLastOneIsSeen) {
    serve();
    const auto watching = viewer();
    for (int i = 0; i < 2'000; ++i) health_.changed();
    health_.set_mode(health::Mode::full, Error{Errc::full, "test"});
    ASSERT_TRUE(watching->read_until("\"mode\":\"full\"", 2s));
    const std::string seen = watching->take("\"mode\":\"full\"");
    std::size_t events = 0;
    for (auto at = seen.find("event: status"); at != std::string::npos; at = seen.find("event: status", at + 1))
        ++events;
    EXPECT_LE(events, 5U);
}

TEST_F(Api, TwoHundredViewersHoldNoThread) {
    serve({.threads_max = 8});
    std::vector<std::unique_ptr<TlsClient>> watching;
    for (int i = 0; i < 200; ++i) watching.push_back(viewer());
    EXPECT_EQ(server_->numbers().viewers, 200);
    EXPECT_TRUE(becomes([&] { return server_->numbers().connections == 0; }));
    EXPECT_LE(server_->numbers().threads, 8);
    EXPECT_EQ(TlsClient{port_}.get("/").status, 200) << "and there is a worker for everybody else";
    health_.set_mode(health::Mode::damaged, Error{Errc::corrupt, "test"});
    for (const auto& one : watching) EXPECT_TRUE(one->read_until("\"mode\":\"damaged\""));
    watching.clear();
    EXPECT_TRUE(becomes([&] { return server_->numbers().viewers == 0; }));
}

TEST_F(Api, ViewersAreBounded) {
    serve({.viewers_max = 3});
    std::vector<std::unique_ptr<TlsClient>> watching;
    for (int i = 0; i < 3; ++i) watching.push_back(viewer());
    TlsClient more{port_};
    EXPECT_EQ(more.get("/api/v1/events").status, 503);
    watching.pop_back();
    EXPECT_TRUE(becomes([&] { return server_->numbers().viewers == 2; }));
    watching.push_back(viewer());
}

TEST_F(Api, AViewerWithHalfATlsRecordStopsNobody) {
    serve();
    const auto bad = viewer();
    const auto good = viewer();
    ASSERT_EQ(::send(bad->fd(), "\x17\x03\x03\x00", 4, 0), 4);
    health_.set_mode(health::Mode::damaged, Error{Errc::corrupt, "test"});
    EXPECT_TRUE(good->read_until("\"mode\":\"damaged\"", 2s));
    EXPECT_TRUE(bad->read_until("\"mode\":\"damaged\"", 2s));
}

TEST_F(Api, AViewerThatSpeaksIsDropped) {
    serve();
    const auto talking = viewer();
    talking->send("x");
    EXPECT_TRUE(becomes([&] { return server_->numbers().viewers == 0; }));
}

TEST_F(Api, SilentAndSlowClientsStarveNobody) {
    serve({.threads_max = 64, .connections_per_network_max = 60, .read_timeout = 1s, .request_time_max = 2s});
    std::vector<base::UniqueFd> silent;
    for (int i = 0; i < 40; ++i) silent.push_back(connect_to(port_)); // not even a hello
    std::vector<std::unique_ptr<TlsClient>> halfway;
    for (int i = 0; i < 10; ++i) {
        halfway.push_back(std::make_unique<TlsClient>(port_));
        halfway.back()->send("GET / HTTP/1.1\r\n");
    }
    EXPECT_EQ(TlsClient{port_}.get("/api/v1/status").status, 200);
    EXPECT_TRUE(becomes([&] { return server_->numbers().connections == 0; })) << "they are ended by the server";
}

TEST_F(Api, AClientThatDripsIsEnded) {
    serve({.read_timeout = 5s, .request_time_max = 1s});
    TlsClient dripping{port_};
    dripping.send("GET / HTTP/1.1\r\nX: ");
    EXPECT_TRUE(becomes([&] {
        dripping.send("y");
        pollfd ended{dripping.fd(), POLLIN, 0};
        poll(&ended, 1, 20); // the pace of the drip
        return server_->numbers().overdue_connections > 0;
    }));
    EXPECT_TRUE(becomes([&] { return server_->numbers().connections == 0; }));
}

TEST_F(Api, ARequestThatIsCutOffIsCounted) {
    serve();
    const auto unfinished = [&] { return server_->numbers().unfinished_requests; };
    { // nothing of a request is cut off here
        TlsClient whole{port_}, silent{port_};
        ASSERT_EQ(whole.get("/api/health").status, 503);
        ASSERT_TRUE(silent.connected());
    }
    ASSERT_TRUE(becomes([&] { return server_->numbers().connections == 0; }));
    EXPECT_EQ(unfinished(), 0);
    {
        TlsClient first{port_};
        first.send("GET / HTTP/1.1\r\nHost: loc");
        shutdown(first.fd(), SHUT_WR); // it goes on listening: half-closed
        EXPECT_TRUE(becomes([&] { return unfinished() == 1; }));
    }
    TlsClient kept{port_};
    ASSERT_EQ(kept.get("/api/health").status, 503);
    kept.send("GET / HTTP/1.1\r\n");
    shutdown(kept.fd(), SHUT_WR);
    EXPECT_TRUE(becomes([&] { return unfinished() == 2; }));
    EXPECT_NE(TlsClient{port_}.get("/metrics").body.find("clinic_http_requests_unfinished_total 2"), std::string::npos);
}

TEST_F(Api, OneAddressPushesOutItsOwn) {
    serve({.connections_per_network_max = 2});
    TlsClient one{port_}, two{port_};
    ASSERT_TRUE(one.connected() && two.connected());
    TlsClient three{port_};
    ASSERT_TRUE(three.connected());
    EXPECT_TRUE(one.is_over()) << "it said nothing for the longest time";
    EXPECT_EQ(two.get("/api/v1/status").status, 200);
    EXPECT_EQ(three.get("/api/v1/status").status, 200);
    EXPECT_EQ(server_->numbers().displaced_connections, 1);
}

// Two hosts that take all they are given, say nothing, and come again: before a hello, and after a whole handshake.
TEST_F(Api, TwoHostileAddressesKeepThePageFromNobody) {
    constexpr int threads = 32, each = 20, rounds = 10;
    serve({.threads_max = threads, .connections_per_network_max = each, .read_timeout = 60s, .request_time_max = 60s});
    std::vector<base::UniqueFd> silent;
    std::vector<std::unique_ptr<TlsClient>> greeted;
    for (int round = 0; round < rounds; ++round) {
        for (const char* from : {"127.0.0.3", "127.0.0.4"}) {
            for (int i = 0; i < each; ++i) silent.push_back(connect_to(port_, from));
            for (int i = 0; i < each / 2; ++i)
                greeted.push_back(std::make_unique<TlsClient>(port_, TLS1_3_VERSION, from));
        }
        const auto asked = std::chrono::steady_clock::now();
        EXPECT_EQ(TlsClient{port_}.get("/api/v1/status").status, 200) << round;
        EXPECT_LT(std::chrono::steady_clock::now() - asked, 3s) << round;
    }
    const auto numbers = server_->numbers();
    EXPECT_GT(numbers.displaced_connections, 0);
    EXPECT_GT(numbers.connections, threads / 2) << "they do hold what they are given";
}

TEST_F(Api, BothOfItsThreadsCheckInWhileNobodyLooks) {
    fakes::ManualClock time;
    base::Vitals accepting{time}, telling{time};
    serve({.accepting = accepting.join("accepting", 30s), .telling = telling.join("telling", 30s)});
    time.advance(31s);
    EXPECT_TRUE(becomes([&] { return !accepting.overdue(); }));
    EXPECT_TRUE(becomes([&] { return !telling.overdue(); }));
    server_.reset();
}

TEST_F(Api, ACertificateThatIsNoneIsAnError) {
    auto made = ApiServer::make({.certificate = "/dev/null", .key = "/dev/null"},
                                base::UniqueFd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}, health_);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::malformed);
}

TEST_F(Api, EndsWithItsViewersAndIdleClients) {
    serve();
    const auto watching = viewer();
    TlsClient idle{port_};
    idle.get("/");
    const auto before = std::chrono::steady_clock::now();
    server_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    EXPECT_TRUE(watching->ends());
    health_.changed(); // nobody listens any more
}

} // namespace
} // namespace clinic::api
