// A GHL of the test's own behind real TLS, and a client that trusts its authority.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <optional>

#include "sync/channel/ghl/ghl_client.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/channel/ghl/leases.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::ghl {

class HttpsFixture : public testing::Test {
protected:
    HttpsFixture() {
        signal(SIGPIPE, SIG_IGN);
        write_token("pit-first\n");
    }
    void write_token(const std::string& text) const { std::ofstream{token_file} << text; }
    void serve(support::ScriptedHttps::Script script) {
        serve(authority.issue("ghl", "IP:127.0.0.1"), std::move(script));
    }
    void serve(const support::Leaf& leaf, support::ScriptedHttps::Script script) {
        server.emplace(leaf, std::move(script));
    }
    ClientOptions options() const {
        ClientOptions out;
        out.host = "127.0.0.1";
        out.port = server->port();
        out.ca = authority.pem();
        out.token_file = token_file;
        out.call_max = std::chrono::milliseconds{2'000};
        return out;
    }
    std::unique_ptr<GhlClient> client() { return client(options()); }
    std::unique_ptr<GhlClient> client(ClientOptions given) {
        auto made = GhlClient::make(std::move(given), clock);
        EXPECT_TRUE(made);
        return std::move(*made);
    }

    fakes::TempFolder folder;
    base::SystemClock clock;
    std::filesystem::path token_file = folder / "token";
    support::Authority authority{folder.path(), "authority"};
    std::optional<support::ScriptedHttps> server;
};

} // namespace clinic::ghl
