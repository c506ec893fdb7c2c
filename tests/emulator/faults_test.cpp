// Every limit and every fault, what is recorded and kept, and the emulator as a process, over TLS.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "tests/emulator/emulator_fixture.h"
#include "tests/emulator/handlers.h"

namespace clinic::emulator {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// ---- limits -----------------------------------------------------------------------------------------------------

TEST_F(GhlEmulator, CountsDownInEveryAnswerAndThenThrottles) {
    knob("rate_per_10s", 2);
    const std::string path = "/locations/CEdemoLocation000001";
    const Reply first = send("GET", path);
    EXPECT_EQ(first.headers.at("x-ratelimit-max"), "2");
    EXPECT_EQ(first.headers.at("x-ratelimit-remaining"), "1");
    EXPECT_EQ(first.headers.at("x-ratelimit-interval-milliseconds"), "10000");
    EXPECT_EQ(first.headers.at("x-ratelimit-limit-daily"), "200000");
    EXPECT_EQ(first.headers.at("x-ratelimit-daily-remaining"), "199999");
    EXPECT_EQ(send("GET", "/contacts/nobody").headers.at("x-ratelimit-remaining"), "0");
    const Reply refused = send("GET", path);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.headers.at("x-ratelimit-remaining"), "0");
    EXPECT_FALSE(refused.headers.contains("retry-after"));
    clock.advance(10s);
    EXPECT_EQ(send("GET", path).status, 200);
}

// ---- faults -----------------------------------------------------------------------------------------------------

TEST_F(GhlEmulator, HasTheEffectAndNeverAnswers) {
    fault("timeout-after-effect");
    EXPECT_EQ(send("GET", "/locations/CEdemoLocation000001").status, 200);
    HttpsClient impatient{emulator->port(), certificate().authority, 200ms};
    EXPECT_FALSE(impatient.send("POST", "/contacts/", usual(), shell("p_1").dump()).answered);
    EXPECT_EQ(state()["contacts"].size(), 1U);
    EXPECT_EQ(recorded().back()["status"], 0);
    EXPECT_EQ(send("POST", "/contacts/search", search_for({{"field", "id"}, {"operator", "exists"}})).status, 200);
}

TEST_F(GhlEmulator, RefusesInEveryReportedWay) {
    const std::string contact = create(), path = "/contacts/" + contact;
    const Json body{{"customFields", {{{"id", field_ce_stage}, {"field_value", "new"}}}}};
    for (const auto& [name, status] : {std::pair{"scope-lost", 401},
                                       {"forbidden", 403},
                                       {"message-as-text", 422},
                                       {"silent-429", 429},
                                       {"html-429", 429}}) {
        fault(name);
        const Reply reply = send("PUT", path, body);
        EXPECT_EQ(reply.status, status) << name;
        EXPECT_FALSE(state()["contacts"][0]["fields"].contains("ce_stage")) << name;
    }
    fault("message-as-text");
    EXPECT_EQ(send("GET", path).status, 200) << "of writes alone";
    EXPECT_TRUE(json(send("PUT", path, body))["message"].is_string());
}

TEST_F(GhlEmulator, IsContendedInFourWaysAndDoesNothing) {
    fault("contended", 4);
    for (const int status : {408, 409, 423, 425}) EXPECT_EQ(send("POST", "/contacts/", shell("p_1")).status, status);
    EXPECT_TRUE(state()["contacts"].empty());
}

TEST_F(GhlEmulator, CallsTooSlowWhatItHasDone) {
    fault("408-after-effect");
    EXPECT_EQ(send("GET", "/contacts/nobody").status, 400) << "of writes alone";
    EXPECT_EQ(send("POST", "/contacts/", shell("p_1")).status, 408);
    EXPECT_EQ(state()["contacts"].size(), 1U);
}

TEST_F(GhlEmulator, ThrottlesUntilADate) {
    knob("retry_after_s", 90);
    fault("dated-429");
    const Reply reply = send("GET", "/contacts/nobody");
    EXPECT_EQ(reply.status, 429);
    const auto now = clock.now().micros / 1'000;
    EXPECT_EQ(reply.headers.at("date"), http_date(now));
    EXPECT_EQ(reply.headers.at("retry-after"), http_date(now + 90'000));
}

TEST_F(GhlEmulator, AnswersInGzipWhereThatIsNotRefusedOrWhateverIsSaid) {
    const auto is_coded = [](const Reply& reply) {
        return reply.headers.contains("content-encoding") && reply.body.starts_with("\x1f\x8b");
    };
    const std::string path = std::string{"/locations/"} + location;
    Headers identity = usual(), gzip = usual();
    identity["Accept-Encoding"] = "identity";
    gzip["Accept-Encoding"] = "br, gzip";
    EXPECT_FALSE(is_coded(client->send("GET", path, gzip, "")));
    knob("gzip", 1);
    EXPECT_TRUE(is_coded(client->send("GET", path, gzip, "")));
    EXPECT_TRUE(is_coded(client->send("GET", path, usual(), "")));
    EXPECT_FALSE(is_coded(client->send("GET", path, identity, "")));
    knob("gzip", 0);
    fault("gzip-unasked");
    EXPECT_TRUE(is_coded(client->send("GET", path, identity, "")));
}

TEST_F(GhlEmulator, CallsAnyCreateADuplicate) {
    const std::string stranger = create("p_1"), same = create("p_2");
    fault("duplicate-400", 2);
    EXPECT_EQ(send("PUT", "/contacts/" + stranger, {{"dnd", true}}).status, 200) << "of creates alone";
    EXPECT_EQ(json(send("POST", "/contacts/", shell("p_2")))["meta"]["contactId"], same);
    const Reply reply = send("POST", "/contacts/", shell("p_3"));
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(json(reply)["meta"]["contactId"], stranger);
    EXPECT_EQ(state()["contacts"].size(), 2U);
}

TEST_F(GhlEmulator, ShowsWhatWasDeletedWithAMark) {
    const std::string contact = create();
    knob("shows_deleted", 1);
    EXPECT_EQ(send("DELETE", "/contacts/" + contact).status, 200);
    EXPECT_EQ(json(send("GET", "/contacts/" + contact))["contact"]["deleted"], true);
    clock.advance(300ms);
    EXPECT_EQ(found({{"field", "id"}, {"operator", "eq"}, {"value", contact}}), 1U);
    EXPECT_EQ(send("PUT", "/contacts/" + contact, {{"dnd", true}}).status, 400);
    EXPECT_TRUE(state()["contacts"].empty());
}

TEST_F(GhlEmulator, AcceptsAndDrops) {
    const std::string contact = create();
    const Json before = json(send("GET", "/contacts/" + contact))["contact"]["customFields"];
    fault("accepted-and-dropped");
    EXPECT_EQ(
        send("PUT", "/contacts/" + contact, {{"customFields", {{{"id", field_ce_stage}, {"field_value", "new"}}}}})
            .status,
        200);
    EXPECT_EQ(json(send("GET", "/contacts/" + contact))["contact"]["customFields"], before);
}

TEST_F(GhlEmulator, AcceptsAndDropsOfWhateverThePathNames) {
    const std::string contact = create();
    const Json opportunity = json(send("POST", "/opportunities/",
                                       {{"pipelineId", pipeline_id},
                                        {"locationId", location},
                                        {"name", "p_1"},
                                        {"status", "open"},
                                        {"contactId", contact}}))["opportunity"];
    const std::string path = "/opportunities/" + opportunity["id"].get<std::string>();
    fault("accepted-and-dropped");
    EXPECT_EQ(json(send("PUT", path, {{"status", "lost"}}))["opportunity"]["status"], "lost");
    EXPECT_EQ(json(send("GET", path))["opportunity"]["status"], "open");
    EXPECT_EQ(send("DELETE", path).status, 200);
    EXPECT_EQ(send("DELETE", path).status, 400);
    EXPECT_TRUE(state()["opportunities"].empty());
}

TEST_F(GhlEmulator, CreatesAndSaysUnprocessable) {
    fault("422-but-created");
    const Reply reply = send("POST", "/contacts/", shell("p_1"));
    EXPECT_EQ(reply.status, 422);
    EXPECT_EQ(state()["contacts"].size(), 1U);
    EXPECT_EQ(send("POST", "/contacts/", shell("p_2")).status, 201);
}

TEST_F(GhlEmulator, FailsInEveryWayAServerCan) {
    fault("5xx", 4);
    for (const int status : {500, 502, 503, 504}) EXPECT_EQ(send("POST", "/contacts/", shell("p_1")).status, status);
    EXPECT_TRUE(state()["contacts"].empty());
}

TEST_F(GhlEmulator, AnswersSlowly) {
    knob("slow_ms", 150);
    fault("slow");
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(send("POST", "/contacts/", shell("p_1")).status, 201);
    EXPECT_GE(std::chrono::steady_clock::now() - before, 150ms);
}

TEST_F(GhlEmulator, SendsAPageOfHtml) {
    fault("html-body");
    const Reply reply = send("POST", "/contacts/", shell("p_1"));
    EXPECT_EQ(reply.status, 502);
    EXPECT_THAT(reply.headers.at("content-type"), HasSubstr("text/html"));
    EXPECT_THAT(reply.body, HasSubstr("<html>"));
    EXPECT_TRUE(state()["contacts"].empty());
}

TEST_F(GhlEmulator, LetsTheTokenExpire) {
    fault("token-expired");
    const Reply reply = send("GET", "/locations/CEdemoLocation000001");
    EXPECT_EQ(reply.status, 401);
    EXPECT_EQ(json(reply)["message"], "Invalid token: access token is invalid");
    EXPECT_EQ(send("GET", "/locations/CEdemoLocation000001").status, 200);
}

TEST_F(GhlEmulator, ThrottlesWithAndWithoutSayingWhen) {
    fault("rate-limited", 2);
    const Reply says = send("GET", "/locations/CEdemoLocation000001");
    EXPECT_EQ(says.status, 429);
    EXPECT_EQ(says.headers.at("retry-after"), "1");
    const Reply silent = send("GET", "/locations/CEdemoLocation000001");
    EXPECT_EQ(silent.status, 429);
    EXPECT_FALSE(silent.headers.contains("retry-after"));
}

TEST_F(GhlEmulator, TakesFaultsFirstInFirstOutForWhatTheyFit) {
    fault("422-but-created");
    fault("token-expired");
    fault("html-body");
    EXPECT_EQ(send("GET", "/locations/CEdemoLocation000001").status, 401);
    EXPECT_EQ(send("POST", "/contacts/", shell("p_1")).status, 422);
    EXPECT_EQ(send("GET", "/locations/CEdemoLocation000001").status, 502);
    EXPECT_EQ(send("GET", "/locations/CEdemoLocation000001").status, 200);
}

TEST_F(GhlEmulator, RefusesAFaultOrKnobItDoesNotKnow) {
    for (const char* body : {R"({"fault":"meteor"})", R"({"fault":"5xx","count":0})", R"({"knob":"mood","value":1})",
                             R"({"knob":"slow_ms","value":-1})", R"({})", "not json"})
        EXPECT_EQ(client->post("/_faults", body).status, 400) << body;
    EXPECT_EQ(client->get("/_nothing").status, 404);
}

// ---- the record, the state, the process -------------------------------------------------------------------------

TEST_F(GhlEmulator, RecordsEachRequestAsItCame) {
    create();
    client->get("/_state");
    send("GET", "/opportunities/pipelines?locationId=CEdemoLocation000001");
    const auto lines = recorded();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0]["method"], "POST");
    EXPECT_EQ(lines[0]["path"], "/contacts/");
    EXPECT_EQ(lines[0]["body"], shell("p_1").dump());
    EXPECT_EQ(lines[0]["status"], 201);
    EXPECT_EQ(lines[0]["headers"]["Version"], "2021-07-28");
    EXPECT_EQ(lines[1]["path"], "/opportunities/pipelines?locationId=CEdemoLocation000001");
    EXPECT_EQ(lines[1]["body"], "");
}

TEST_F(GhlEmulator, RecordsBytesThatAreNoText) {
    client->send("POST", "/contacts/", usual(), "M\xC3\xBCller");
    client->send("POST", "/contacts/", usual(), "M\xFCller");
    const auto lines = recorded();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0]["body"], "M\xC3\xBCller");
    EXPECT_FALSE(lines[0].contains("body_encoding"));
    EXPECT_EQ(lines[1]["body"], "TfxsbGVy"); // printf 'M\xFCller' | base64
    EXPECT_EQ(lines[1]["body_encoding"], "base64");
}

TEST_F(GhlEmulator, GoesOnWhereItWas) {
    const std::string id = create();
    send("DELETE", "/contacts/" + create("p_2"));
    stop();
    std::ofstream{folder / "state.log", std::ios::app} << R"({"kind":"contact","put":{"id":"torn)";
    start();
    EXPECT_EQ(state()["contacts"].size(), 1U);
    EXPECT_EQ(send("GET", "/contacts/" + id).status, 200);
    EXPECT_EQ(found({{"field", std::string{"customFields."} + field_ce_pid}, {"operator", "eq"}, {"value", "p_1"}}),
              1U);
}

TEST_F(GhlEmulator, DoesNotTakeAForeignFileForItsState) {
    stop();
    std::ofstream{folder / "state.log"} << "once upon a time\n{}\n";
    Options options;
    options.certificate = certificate().certificate;
    options.key = certificate().key;
    options.service.state = folder / "state.log";
    const auto started = Emulator::start(options, clock);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, Errc::corrupt);
    EXPECT_EQ(started.error().at.line, 1);
}

TEST_F(GhlEmulator, SaysThatACertificateIsMissing) {
    Options options;
    options.certificate = folder / "nowhere.pem";
    options.key = certificate().key;
    EXPECT_FALSE(Emulator::start(options, clock));
}

TEST_F(GhlEmulator, ServesEightConnectionsAtOnce) {
    constexpr int connections = 8;
    constexpr int each = 40;
    knob("rate_per_10s", 100'000);
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> threads;
        for (int n = 0; n < connections; ++n)
            threads.emplace_back([&, n] {
                HttpsClient own{emulator->port(), certificate().authority};
                for (int i = 0; i < each; ++i) {
                    const std::string pid = "p_" + std::to_string(n) + "_" + std::to_string(i);
                    good += own.send("POST", "/contacts/", usual(), shell(pid).dump()).status == 201 ? 1 : 0;
                }
            });
    }
    EXPECT_EQ(good, connections * each);
    EXPECT_EQ(state()["contacts"].size(), std::size_t{connections * each});
    EXPECT_EQ(recorded().size(), std::size_t{connections * each});
}

TEST_F(GhlEmulator, StopsAtOnceThoughAnAnswerIsWithheld) {
    fault("timeout-after-effect");
    Reply reply;
    std::jthread waiting{[&, port = emulator->port()] {
        HttpsClient patient{port, certificate().authority, 60s};
        reply = patient.send("POST", "/contacts/", usual(), shell("p_1").dump());
    }};
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (recorded().empty() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    const auto before = std::chrono::steady_clock::now();
    stop();
    waiting.join();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
    EXPECT_FALSE(reply.answered);
}

} // namespace
} // namespace clinic::emulator
