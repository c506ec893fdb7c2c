#include "daemon/https/gate.h"

#include <gtest/gtest.h>

namespace clinic::https {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

int verdict(const std::string& method, const std::string& target, Fields fields,
            const std::string& version = "HTTP/1.1") {
    const auto refused = examine({method, target, version, std::move(fields)}, {"box.clinic.example"});
    return refused ? refused->status : 0;
}
int of_host(const std::string& host) {
    return verdict("GET", "/", {{"Host", host}});
}

TEST(Gate, LetsAPlainReadPass) {
    EXPECT_EQ(verdict("GET", "/", {{"Host", "localhost"}}), 0);
    EXPECT_EQ(verdict("HEAD", "/metrics?x=1", {{"host", "127.0.0.1:21001"}, {"Accept", "*/*"}}), 0);
    EXPECT_EQ(verdict("GET", "/", {{"Host", "localhost"}, {"Content-Length", "0"}}), 0);
}

TEST(Gate, RefusesEveryOtherMethod) {
    for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "FOO"})
        EXPECT_EQ(verdict(method, "/", {{"Host", "localhost"}}), 405) << method;
    EXPECT_EQ(verdict("POST", "/", {{"Host", "localhost"}, {"Content-Length", "5"}}), 405);
    EXPECT_EQ(verdict("G ET", "/", {{"Host", "localhost"}}), 400);
}

TEST(Gate, RefusesWhatTwoReadersCouldReadDifferently) {
    const std::pair<std::string, std::string> host{"Host", "localhost"};
    EXPECT_EQ(verdict("GET", "/", {host, {"Content-Length", "5"}}), 400);
    EXPECT_EQ(verdict("GET", "/", {host, {"Transfer-Encoding", "chunked"}}), 400);
    EXPECT_EQ(verdict("POST", "/", {host, {"Transfer-Encoding", "chunked"}, {"Content-Length", "5"}}), 400);
    EXPECT_EQ(verdict("POST", "/", {host, {"Content-Length", "5"}, {"content-length", "5"}}), 400);
    for (const char* length : {"-1", "+1", "0x1", "1,1", "", " 1", "1 ", "99999999999999999999999"})
        EXPECT_EQ(verdict("POST", "/", {host, {"Content-Length", length}}), 400) << length;
    EXPECT_EQ(verdict("GET", "/", {host, {"Transfer-Encoding ", "chunked"}}), 400);
    EXPECT_EQ(verdict("GET", "/", {host, {"X", "a\rb"}}), 400);
    EXPECT_EQ(verdict("GET", "/", {host, {"Expect", "100-continue"}}), 400);
    EXPECT_EQ(verdict("GET", "/", {host, {"Upgrade", "h2c"}}), 400);
}

TEST(Gate, RefusesATargetThatIsNoPath) {
    const Fields host{{"Host", "localhost"}};
    for (const char* target : {"", "*", "https://localhost/", "status", "/a\tb", "/a\nb"})
        EXPECT_EQ(verdict("GET", target, host), 400) << target;
    EXPECT_EQ(verdict("GET", "/" + std::string(listener::target_bytes_max, 'a'), host), 400);
    EXPECT_EQ(verdict("GET", "/", host, "HTTP/2.0"), 400);
    EXPECT_EQ(verdict("GET", "/", Fields(listener::fields_max + 1, {"Host", "localhost"})), 400);
}

TEST(Gate, WantsExactlyOneHostAndOneOfOurs) {
    EXPECT_EQ(verdict("GET", "/", {}), 400);
    EXPECT_EQ(of_host(""), 400);
    EXPECT_EQ(verdict("GET", "/", {{"Host", "localhost"}, {"Host", "localhost"}}), 400);
    for (const char* host : {"localhost", "LOCALHOST:8443", "192.168.1.5", "10.0.0.1:443", "[::1]", "[fe80::1]:8443",
                             "box.clinic.example", "Box.Clinic.Example:1", "clinic-edge.local"})
        EXPECT_EQ(of_host(host), 0) << host;
    for (const char* host : {"evil.example", "localhost.evil.example", "192.168.1.5.evil.example", "localhost:99999999",
                             "localhost:a", "[::1", "::1", "box.clinic.example@evil"})
        EXPECT_EQ(of_host(host), 421) << host;
}

TEST(Gate, AnswersNoOtherSitesPage) {
    const auto of_origin = [](const std::string& origin) {
        return verdict("GET", "/", {{"Host", "10.0.0.1:8443"}, {"Origin", origin}});
    };
    EXPECT_EQ(of_origin("https://10.0.0.1:8443"), 0);
    for (const char* origin : {"https://evil.example", "https://203.0.113.9", "https://10.0.0.1",
                               "http://10.0.0.1:8443", "null", "", "https://10.0.0.1:8443.evil.example"})
        EXPECT_EQ(of_origin(origin), 403) << origin;
    const auto fetched = [](const std::string& site, const std::string& mode) {
        return verdict("GET", "/", {{"Host", "localhost"}, {"Sec-Fetch-Site", site}, {"Sec-Fetch-Mode", mode}});
    };
    for (const char* mode : {"navigate", "no-cors", "cors"}) {
        EXPECT_EQ(fetched("same-origin", mode), 0) << mode;
        EXPECT_EQ(fetched("none", mode), 0) << mode;
    }
    EXPECT_EQ(fetched("cross-site", "navigate"), 0) << "a link that a person follows";
    for (const char* site : {"cross-site", "same-site", "x"})
        for (const char* mode : {"no-cors", "cors", "websocket"}) EXPECT_EQ(fetched(site, mode), 403) << site << mode;
}

} // namespace
} // namespace clinic::https
