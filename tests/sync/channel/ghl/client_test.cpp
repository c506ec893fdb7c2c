#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "tests/sync/channel/ghl/https_fixture.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::ghl {
namespace {

using namespace std::chrono_literals;
using support::answer;
using support::Received;
using support::Sent;
using Ended = Exchange::Result;

const Call a_read = read_location(rules());
const Call a_write = add_tags(rules(), "c1", words({"returning"}));
const Call a_removal = remove_tags(rules(), "c1", words({"returning"}));

struct Clients : HttpsFixture {};

TEST_F(Clients, SendTheHeadersAndTheExactBody) {
    serve([](const Received&) { return answer(201, R"({"tags":[]})"); });
    EXPECT_EQ(client()->send(a_write, {}, {}).status, 201);
    const auto seen = server->received().at(0);
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.path, "/contacts/c1/tags");
    EXPECT_EQ(seen.body, a_write.body);
    EXPECT_EQ(seen.headers.at("authorization"), "Bearer pit-first");
    EXPECT_EQ(seen.headers.at("version"), "2021-07-28");
    EXPECT_EQ(seen.headers.at("content-type"), "application/json");
    EXPECT_EQ(seen.headers.at("accept"), "application/json");
}

// As GHL's "rotate and expire later" is for: the next token takes over while the current one is still good.
TEST_F(Clients, AProbeTriesTheNextTokenAndAWrongOneCostsNothing) {
    std::string known = "pit-first";
    serve([&known](const Received& got) {
        return got.headers.at("authorization").find(known) != std::string::npos
                   ? answer(200, "{}")
                   : answer(401, R"({"message":"Invalid Private Integration token"})");
    });
    auto given = options();
    given.next_token_file = folder / "next";
    const auto ghl = client(given);
    std::ofstream{given.next_token_file} << "pit-typo";
    const auto refused = ghl->send(a_read, {}, {});
    EXPECT_EQ(refused.status, 401);
    EXPECT_TRUE(refused.another_token) << "the current one is good";
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ghl->send(a_read, {}, {}).status, 200) << "a wrong one is tried once";
    EXPECT_EQ(server->received().size(), 3U) << "and nothing is sent again by itself";
    std::filesystem::remove(given.next_token_file);
    std::ofstream{given.next_token_file} << "pit-second";
    std::filesystem::last_write_time(given.next_token_file, std::filesystem::file_time_type::clock::now() + 5s);
    known = "pit-second";
    EXPECT_EQ(ghl->send(a_write, {}, {}).status, 401) << "nothing that writes is sent again by itself";
    EXPECT_EQ(ghl->send(a_write, {}, {}).status, 200);
}

TEST_F(Clients, AcceptNoCodingOfTheAnswer) {
    serve([](const Received&) { return answer(200, "{}"); });
    EXPECT_EQ(client()->send({Route::location_read, "/locations/loc1", ""}, {}, {}).status, 200);
    EXPECT_EQ(server->received().at(0).headers.at("accept-encoding"), "identity");
}

TEST_F(Clients, ARemovalIsADeleteWithABody) {
    serve([](const Received&) { return answer(200, "{}"); });
    EXPECT_EQ(client()->send(a_removal, {}, {}).status, 200);
    EXPECT_EQ(server->received().at(0).method, "DELETE");
    EXPECT_EQ(server->received().at(0).body, a_removal.body);
}

TEST_F(Clients, AGreetingIsAVerifiedConnectionWithoutARequest) {
    serve([](const Received&) { return answer(200, "{}"); });
    const auto ghl = client();
    EXPECT_EQ(ghl->greet({}).result, Ended::answered);
    EXPECT_EQ(ghl->greet({}).result, Ended::answered);
    ASSERT_TRUE(support::eventually([&] { return server->connections() == 2; }));
    EXPECT_TRUE(server->received().empty());
    const support::Authority other{folder.path(), "other"};
    auto given = options();
    given.ca = other.pem();
    const auto met = client(given)->greet({});
    EXPECT_STREQ(met.failure, "certificate");
    EXPECT_TRUE(met.needs_someone);
}

TEST_F(Clients, AGreetingThatNobodyAnswersIsATimeoutAndARefusedOneIsOffline) {
    const base::UniqueFd silent{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&here), size), 0);
    ASSERT_EQ(getsockname(silent.get(), reinterpret_cast<sockaddr*>(&here), &size), 0);
    serve([](const Received&) { return answer(200, "{}"); });
    auto given = options();
    given.port = ntohs(here.sin_port);
    given.greet_max = 200ms;
    EXPECT_STREQ(client(given)->greet({}).failure, "offline");
    ASSERT_EQ(listen(silent.get(), 4), 0);
    EXPECT_STREQ(client(given)->greet({}).failure, "timeout");
}

TEST_F(Clients, ACallThatIsNotAnsweredIsSeenWhileItGoesOn) {
    serve([](const Received&) {
        auto late = answer(200, "{}");
        late.silence = 10s;
        return late;
    });
    const auto ghl = client();
    EXPECT_EQ(ghl->unanswered(), base::Micros{0});
    std::stop_source stop;
    std::jthread calling{[&] { ghl->send(a_read, {}, stop.get_token()); }};
    EXPECT_TRUE(support::eventually([&] { return ghl->unanswered() > 100ms; }));
    calling.join();
    EXPECT_EQ(ghl->unanswered(), base::Micros{0});
}

TEST_F(Clients, OneConnectionServesManyCalls) {
    serve([](const Received&) { return answer(200, "{}"); });
    const auto ghl = client();
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ghl->send(a_read, {}, {}).status, 200);
    EXPECT_EQ(server->connections(), 1);
}

TEST_F(Clients, AConnectionThatWentStaleIsReplacedAndTheRequestSentOnce) {
    serve([](const Received&) {
        auto out = answer(200, "{}");
        out.close = true;
        return out;
    });
    const auto ghl = client();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ghl->send(a_write, {}, {}).status, 200) << i;
        ASSERT_EQ(server->connections(), i + 1);
        ASSERT_TRUE(support::eventually([&] { return server->closed() == i + 1; }));
    }
    EXPECT_EQ(server->received().size(), 3U);
}

TEST_F(Clients, NobodyListeningIsNotSent) {
    serve([](const Received&) { return answer(200, "{}"); });
    auto given = options();
    server.reset();
    const auto out = client(given)->send(a_write, {}, {});
    EXPECT_EQ(out.result, Ended::not_sent);
    EXPECT_STREQ(out.failure, "offline");
}

TEST_F(Clients, APermissionThatIsTooOldSendsNothing) {
    serve([](const Received&) { return answer(200, "{}"); });
    const auto ghl = client();
    const auto out = ghl->send(a_write, {}, {}, std::chrono::steady_clock::now());
    EXPECT_EQ(out.result, Ended::not_sent);
    EXPECT_STREQ(out.failure, "too_late");
    EXPECT_TRUE(server->received().empty());
    EXPECT_EQ(ghl->send(a_write, {}, {}, std::chrono::steady_clock::now() + 60s).result, Ended::answered);
}

TEST_F(Clients, SilenceAfterTheRequestIsUnknownAndEndsAtTheDeadline) {
    serve([](const Received&) { return Sent{"", 60s, true}; });
    auto given = options();
    given.call_max = 300ms;
    const auto before = std::chrono::steady_clock::now();
    const auto out = client(given)->send(a_write, {}, {});
    EXPECT_EQ(out.result, Ended::unknown);
    EXPECT_STREQ(out.failure, "timeout");
    EXPECT_LT(std::chrono::steady_clock::now() - before, 3s);
}

TEST_F(Clients, AStopRequestCutsACallThatIsUnderWay) {
    serve([](const Received&) { return Sent{"", 60s, true}; });
    auto given = options();
    given.call_max = 60s;
    given.stop_grace = 50ms;
    const auto ghl = client(given);
    std::stop_source stop;
    std::jthread stopper{[&] {
        EXPECT_TRUE(support::eventually([&] { return !server->received().empty(); }));
        stop.request_stop();
    }};
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(ghl->send(a_write, {}, stop.get_token()).result, Ended::unknown);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
}

TEST_F(Clients, HalfAnAnswerIsUnknown) {
    serve([](const Received&) {
        return Sent{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"contact\":", {}, true};
    });
    EXPECT_EQ(client()->send(a_write, {}, {}).result, Ended::unknown);
}

TEST_F(Clients, NoAnswerAndAClosedConnectionIsUnknown) {
    serve([](const Received&) { return Sent{"", {}, true}; });
    const auto out = client()->send(a_write, {}, {});
    EXPECT_EQ(out.result, Ended::unknown);
    EXPECT_STREQ(out.failure, "cut_off");
}

TEST_F(Clients, ABodyWithoutEndIsCutAtItsBound) {
    serve([](const Received&) { return answer(200, "{\"x\":\"" + std::string(2'000'000, 'a') + "\"}"); });
    const auto ghl = client();
    const auto out = ghl->send(a_write, {}, {});
    EXPECT_EQ(out.result, Ended::unknown);
    EXPECT_STREQ(out.failure, "too_long");
}

TEST_F(Clients, SomethingThatIsNotHttpIsUnknown) {
    serve([](const Received&) { return Sent{"220 mail.example ready\r\n\r\n", {}, true}; });
    EXPECT_EQ(client()->send(a_write, {}, {}).result, Ended::unknown);
}

TEST_F(Clients, ACertificateOfAnotherAuthorityIsRefusedBeforeAByteIsSent) {
    const support::Authority other{folder.path(), "other"};
    serve(other.issue("stranger", "IP:127.0.0.1"), [](const Received&) { return answer(200, "{}"); });
    const auto out = client()->send(a_write, {}, {});
    EXPECT_EQ(out.result, Ended::not_sent);
    EXPECT_STREQ(out.failure, "certificate");
    EXPECT_TRUE(out.needs_someone);
    EXPECT_TRUE(server->received().empty());
}

TEST_F(Clients, ACertificateForAnotherNameIsRefusedOnLoopbackToo) {
    for (const char* name : {"DNS:ghl.example", "IP:127.0.0.2", ""}) {
        serve(authority.issue("elsewhere", name), [](const Received&) { return answer(200, "{}"); });
        const auto out = client()->send(a_write, {}, {});
        EXPECT_EQ(out.result, Ended::not_sent) << name;
        EXPECT_STREQ(out.failure, "certificate") << name;
        EXPECT_TRUE(server->received().empty());
    }
}

TEST_F(Clients, AnExpiredCertificateIsRefused) {
    serve(authority.issue("expired", "IP:127.0.0.1", -1), [](const Received&) { return answer(200, "{}"); });
    EXPECT_STREQ(client()->send(a_write, {}, {}).failure, "certificate");
}

TEST_F(Clients, ANameIsResolvedAndMustStandInTheCertificate) {
    serve(authority.issue("named", "DNS:localhost"), [](const Received&) { return answer(200, "{}"); });
    auto given = options();
    given.host = "localhost";
    EXPECT_EQ(client(given)->send(a_read, {}, {}).status, 200);
    EXPECT_EQ(server->received().at(0).headers.at("host"), "localhost:" + std::to_string(server->port()));
}

TEST_F(Clients, ANameThatDoesNotResolveIsNotSent) {
    serve([](const Received&) { return answer(200, "{}"); });
    auto given = options();
    given.host = "no-such-host.invalid";
    EXPECT_EQ(client(given)->send(a_read, {}, {}).result, Ended::not_sent);
}

TEST_F(Clients, ANewTokenInTheFileIsUsed) {
    serve([](const Received& request) {
        return request.headers.at("authorization") == "Bearer pit-second" ? answer(200, "{}")
                                                                          : answer(401, R"({"message":"Invalid JWT"})");
    });
    const auto ghl = client();
    EXPECT_EQ(ghl->send(a_read, {}, {}).status, 401);
    write_token("pit-second\n");
    EXPECT_EQ(ghl->send(a_read, {}, {}).status, 200);
    std::filesystem::remove(token_file);
    EXPECT_EQ(ghl->send(a_read, {}, {}).status, 200) << "an open box does not stop for a file that is being replaced";
}

TEST_F(Clients, WithoutATokenNothingIsSent) {
    serve([](const Received&) { return answer(200, "{}"); });
    write_token("two words\n");
    const auto out = client()->send(a_read, {}, {});
    EXPECT_EQ(out.result, Ended::not_sent);
    EXPECT_STREQ(out.failure, "no_token");
    EXPECT_TRUE(server->received().empty());
}

TEST_F(Clients, LimitsAndTheClockAreReadFromTheHeaders) {
    serve([](const Received&) {
        return answer(429, "",
                      "X-RateLimit-Max: 100\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Interval-Milliseconds: 10000\r\n"
                      "X-RateLimit-Limit-Daily: 200000\r\nX-RateLimit-Daily-Remaining: 7\r\nRetry-After: 4\r\n");
    });
    const auto ghl = client();
    std::optional<Timestamp> date;
    ghl->on_date([&](Timestamp at) { date = at; });
    const auto out = ghl->send(a_read, {}, {});
    EXPECT_EQ(out.rate.max, 100);
    EXPECT_EQ(out.rate.remaining, 0);
    EXPECT_EQ(out.rate.interval_ms, 10'000);
    EXPECT_EQ(out.rate.daily_max, 200'000);
    EXPECT_EQ(out.rate.daily_remaining, 7);
    EXPECT_EQ(out.retry_after, 4s);
    ASSERT_TRUE(date);
    EXPECT_EQ(base::rfc3339(*date), "2026-11-21T10:00:00Z");
}

TEST_F(Clients, AnAuthorityFileThatDoesNotLoadIsAnError) {
    serve([](const Received&) { return answer(200, "{}"); });
    auto given = options();
    given.ca = folder / "absent.pem";
    EXPECT_FALSE(GhlClient::make(given, clock));
}

} // namespace
} // namespace clinic::ghl
