#include "tests/emulator/oauth.h"

#include "tests/emulator/emulator_fixture.h"

namespace clinic::emulator {
namespace {

class GhlOauth : public GhlEmulator {
protected:
    std::string allow() { return json(client->post("/_oauth", R"({"do":"allow"})"))["code"]; }
    Reply token(const std::string& more, const std::string& secret = "CEsecret+1%26%3D") {
        return client->send("POST", "/oauth/token", {{"Content-Type", "application/x-www-form-urlencoded"}},
                            "client_id=CEapp000000000000001&client_secret=" + secret + "&user_type=Location&" + more);
    }
    Reply of_code(const std::string& code) {
        return token("grant_type=authorization_code&redirect_uri=https%3A%2F%2Fclinic-edge.local%2Fghl&code=" + code);
    }
    Reply of_refresh(const std::string& refresh) { return token("grant_type=refresh_token&refresh_token=" + refresh); }
    int read_with(const std::string& access) {
        Headers headers = usual();
        headers["Authorization"] = "Bearer " + access;
        return client->send("GET", std::string{"/locations/"} + location, headers, "").status;
    }
};

TEST_F(GhlOauth, ACodeIsForOneUseAndItsTokenLetsIn) {
    const auto code = allow();
    const auto pair = of_code(code);
    ASSERT_EQ(pair.status, 200) << pair.body;
    EXPECT_EQ(json(pair)["locationId"], location);
    EXPECT_EQ(read_with(json(pair)["access_token"]), 200);
    EXPECT_EQ(of_code(code).status, 400);
}

TEST_F(GhlOauth, ARefreshTokenIsForOneUseAndAnAccessTokenHasAnEnd) {
    const auto first = json(of_code(allow()));
    const auto second = of_refresh(first["refresh_token"]);
    ASSERT_EQ(second.status, 200);
    EXPECT_EQ(of_refresh(first["refresh_token"]).status, 400);
    EXPECT_EQ(read_with(first["access_token"]), 200) << "the older one lives on";
    clock.advance(std::chrono::seconds{86'399});
    EXPECT_EQ(read_with(json(second)["access_token"]), 401);
}

TEST_F(GhlOauth, WhoHasNoSecretGetsNothing) {
    EXPECT_EQ(token("grant_type=authorization_code&code=" + allow(), "guess").status, 401);
}

TEST_F(GhlOauth, AnInstalledAppReconnectsWithoutAPersonAndARemovedOneDoesNot) {
    const std::string body = Json{{"clientKey", app_id}, {"clientSecret", app_secret}, {"locationId", location}}.dump();
    EXPECT_EQ(client->post("/oauth/reconnect", body).status, 400) << "nobody has installed it";
    allow();
    const auto again = client->post("/oauth/reconnect", body);
    ASSERT_EQ(again.status, 200);
    const auto pair = of_code(json(again)["authorizationCode"]);
    EXPECT_EQ(pair.status, 200);
    client->post("/_oauth", R"({"do":"uninstall"})");
    EXPECT_EQ(read_with(json(pair)["access_token"]), 401);
    EXPECT_EQ(of_refresh(json(pair)["refresh_token"]).status, 400);
    EXPECT_EQ(client->post("/oauth/reconnect", body).status, 400);
}

} // namespace
} // namespace clinic::emulator
