#include "sync/channel/otlp/exporter.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "tests/fakes/eventually.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::otlp {
namespace {

using fakes::eventually;
using support::Received;

// A collector of the test's own behind real TLS.
struct ExporterTest : testing::Test {
    ExporterTest() { signal(SIGPIPE, SIG_IGN); }
    ~ExporterTest() override {
        thread.request_stop();
        if (thread.joinable()) thread.join();
    }
    void serve(int status) {
        server.emplace(authority.issue("collector", "IP:127.0.0.1"),
                       [status](const Received&) { return support::answer(status, "{}"); });
    }
    void begin(const std::filesystem::path& ca) {
        auto made = Exporter::make({.host = "127.0.0.1",
                                    .port = server->port(),
                                    .ca = ca,
                                    .box = "box-1",
                                    .gather = std::chrono::milliseconds{1},
                                    .call_max = std::chrono::milliseconds{2'000}},
                                   spans);
        ASSERT_TRUE(made);
        exporter = std::move(*made);
        thread = std::jthread{[this](std::stop_token stop) { exporter->run(std::move(stop)); }};
    }
    void add() { spans.add({{.trace = "4bf92f3577b34da6a3ce929d0e0e4736", .span = 7, .name = "change"}}); }

    fakes::TempFolder folder;
    base::SystemClock clock;
    trace::SpanQueue spans{clock};
    support::Authority authority{folder.path(), "authority"};
    std::optional<support::ScriptedHttps> server;
    std::unique_ptr<Exporter> exporter;
    std::jthread thread;
};

TEST_F(ExporterTest, TellsTheCollectorInItsOwnWords) {
    serve(200);
    begin(authority.pem());
    add();
    ASSERT_TRUE(eventually([&] { return !server->received().empty(); }));
    const auto seen = server->received().front();
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.path, "/v1/traces");
    const auto sent = nlohmann::json::parse(seen.body).at("resourceSpans").at(0);
    EXPECT_EQ(sent.at("scopeSpans").at(0).at("spans").at(0).at("name"), "change");
    EXPECT_EQ(sent.at("resource").at("attributes").at(1).at("value").at("stringValue"), "box-1");
    EXPECT_EQ(spans.dropped(), 0);
}

TEST_F(ExporterTest, WhatIsNotTakenInIsDroppedAndCounted) {
    serve(503);
    begin(authority.pem());
    add();
    EXPECT_TRUE(eventually([&] { return spans.dropped() == 1; }));
}

TEST_F(ExporterTest, AStrangersCollectorHearsNothing) {
    serve(200);
    const support::Authority other{folder.path(), "other"};
    begin(other.pem());
    add();
    EXPECT_TRUE(eventually([&] { return spans.dropped() == 1; }));
    EXPECT_TRUE(server->received().empty());
}

} // namespace
} // namespace clinic::otlp
