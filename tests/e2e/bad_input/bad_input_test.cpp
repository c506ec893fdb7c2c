// Bad clients of a whole box: what they send is refused, what they hold is taken back, and the others are served.
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>

#include "tests/daemon/https/tls_client.h"
#include "tests/e2e/bad_input/room.h"

namespace clinic::e2e {
namespace {

using https::TlsClient;

struct Form {
    const char* name;
    std::string request;
};

// Each holds a second request where a lenient reader would find one.
std::vector<Form> smuggling_forms() {
    const std::string second = "GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const std::string length = std::to_string(second.size());
    const std::string post = "POST / HTTP/1.1\r\nHost: localhost\r\n", get = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    return {{"a body that is not read", post + "Content-Length: " + length + "\r\n\r\n" + second},
            {"a body of a GET", get + "Content-Length: " + length + "\r\n\r\n" + second},
            {"a length and a transfer encoding",
             post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second},
            {"a transfer encoding alone", get + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second},
            {"two transfer encodings",
             get + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second},
            {"two lengths", get + "Content-Length: 0\r\nContent-Length: " + length + "\r\n\r\n" + second},
            {"two equal lengths", get + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + second},
            {"a list of lengths", get + "Content-Length: 0, 0\r\n\r\n" + second},
            {"a negative length", get + "Content-Length: -1\r\n\r\n" + second},
            {"a length with a sign", get + "Content-Length: +0\r\n\r\n" + second},
            {"a length of hexadecimal digits", get + "Content-Length: 0x0\r\n\r\n" + second},
            {"a length beyond all numbers", get + "Content-Length: 99999999999999999999999\r\n\r\n" + second},
            {"no host", "GET / HTTP/1.1\r\n\r\n" + second},
            {"two hosts", "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n" + second},
            {"another's host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" + second},
            {"a target of another form", "GET https://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n" + second},
            {"an upgrade", get + "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + second},
            {"an expectation", get + "Expect: 100-continue\r\n\r\n" + second},
            {"another method", "DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n" + second},
            {"another version", "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n" + second},
            {"a name with a space", get + "Content-Length : 0\r\n\r\n" + second}};
}

// The next step of one of the refusals of the page (daemon/web/words).
bool says_what_to_do(const std::string& body) {
    for (const char* step :
         {"Send a GET without a body", "Use its address", "Only reading is allowed here (GET or HEAD)"})
        if (body.find(step) != std::string::npos) return true;
    return false;
}

TEST_F(BadInput, NoFormOfSmugglingGetsASecondAnswer) {
    for (const auto& form : smuggling_forms()) {
        TlsClient client{console()};
        ASSERT_TRUE(client.connected()) << form.name;
        const auto hung_up = metric("clinic_http_requests_unreadable_total");
        client.send(form.request);
        const auto answer = client.response();
        // The library itself hangs up on lengths that are no numbers.
        EXPECT_TRUE(answer.status == 0 || (answer.status >= 400 && answer.status < 500))
            << form.name << ": " << answer.status;
        EXPECT_TRUE(client.is_over()) << form.name;
        if (answer.status != 0) {
            EXPECT_TRUE(says_what_to_do(answer.body)) << form.name << ": " << answer.body;
        } else {
            EXPECT_EQ(metric("clinic_http_requests_unreadable_total"), hung_up + 1) << form.name;
        }
    }
}

TEST_F(BadInput, WhatIsTooLongIsRefusedAndTheConnectionEnds) {
    const std::string host = "Host: localhost\r\n";
    std::string many = "GET / HTTP/1.1\r\n" + host;
    for (int i = 0; i < 400; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
    for (const std::string& request :
         {"GET /" + std::string(70'000, 'a') + " HTTP/1.1\r\n" + host + "\r\n",
          "GET / HTTP/1.1\r\n" + host + "X-Long: " + std::string(100'000, 'b') + "\r\n\r\n", many + "\r\n"}) {
        TlsClient client{console()};
        client.send(request);
        EXPECT_TRUE(client.response().status / 100 != 2);
        EXPECT_TRUE(client.is_over());
    }
    const auto sender = tcp(mllp());
    send_all(sender, "\x0bMSH|^~\\&|PMS|CLINIC|" + std::string(2'000'000, 'x'));
    const auto heard = hear(sender, 30);
    EXPECT_TRUE(heard.ended);
    EXPECT_NE(acknowledgement(heard.bytes), "AA");
}

TEST_F(BadInput, OneProtocolOnThePortOfAnotherIsHungUpOn) {
    const auto from = log().size();
    const auto refused = metric("clinic_mllp_connections_ended_total{reason=\"not_mllp\"}");
    const std::string hello{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11};
    for (const std::string& first :
         {hello + std::string(512, '\0'), std::string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
          std::string{"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"}}) {
        const auto sender = tcp(mllp());
        send_all(sender, first);
        const auto heard = hear(sender, 30);
        EXPECT_TRUE(heard.ended);
        EXPECT_EQ(heard.bytes, "");
    }
    EXPECT_TRUE(
        eventually([&] { return metric("clinic_mllp_connections_ended_total{reason=\"not_mllp\"}") == refused + 3; }));
    EXPECT_TRUE(eventually([&] {
        const auto sender = tcp(mllp());
        send_all(sender, hello);
        return is_said(from, "closed: HTTP or TLS on the MLLP port", "from=127.0.0.1 port=" + std::to_string(mllp()));
    })) << log().substr(from);
    for (const std::string& first : {std::string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
                                     mllp_frame(adt("A28", fresh("C"), fresh("N"), "A", "B")), hello}) {
        const auto viewer = tcp(console());
        send_all(viewer, first);
        const auto heard = hear(viewer, 60);
        EXPECT_TRUE(heard.ended);
        EXPECT_EQ(heard.bytes.find("HTTP/1.1 200"), std::string::npos);
    }
}

TEST_F(BadInput, SlowAndSilentViewersHoldNobodyUpAndAreSentAway) {
    std::vector<base::UniqueFd> silent;
    for (int i = 0; i < 200; ++i) silent.push_back(tcp(console(), "127.0.0.3"));
    std::vector<std::unique_ptr<TlsClient>> slow, greeted;
    for (int i = 0; i < 16; ++i) {
        greeted.push_back(std::make_unique<TlsClient>(console())); // a whole handshake, and then not a byte
        EXPECT_TRUE(greeted.back()->connected());
    }
    for (int i = 0; i < 16; ++i) {
        slow.push_back(std::make_unique<TlsClient>(console()));
        slow.back()->send("GET / HTTP/1.1\r\nHost: loc");
    }
    EXPECT_TRUE(well());
    // One byte of a heading at each look, for as long as it is taken: the end of it comes from the other side.
    std::size_t gone = 0;
    const auto all_gone = [&] {
        for (auto& client : slow)
            if (client && (!client->send("a") || client->is_over(std::chrono::milliseconds{1}))) client.reset(), ++gone;
        return gone == slow.size();
    };
    EXPECT_TRUE(eventually(all_gone, 90)) << gone << " of " << slow.size();
    for (const auto& one : silent) EXPECT_TRUE(hear(one, 90).ended);
    for (const auto& one : greeted) EXPECT_TRUE(one->is_over(std::chrono::seconds{30}));
}

TEST_F(BadInput, SlowAndHalfSendersHoldNobodyUp) {
    const auto lost_before = metric(lost);
    std::vector<base::UniqueFd> slow;
    for (int i = 0; i < 60; ++i) {
        slow.push_back(tcp(mllp()));
        send_all(slow.back(), "\x0bMSH|^~\\&|PMS");
    }
    EXPECT_TRUE(well());
    // Half a message and the end of the stream: nothing is said to it, and nothing of it is kept.
    for (const auto& one : slow) {
        shutdown(one.get(), SHUT_WR);
        const auto heard = hear(one, 30);
        EXPECT_TRUE(heard.ended);
        EXPECT_EQ(heard.bytes, "");
    }
    EXPECT_TRUE(eventually([&] { return metric(lost) == lost_before + 60; })) << metric(lost);
    // A whole one, and its sender's side closed: answered all the same.
    const auto polite = tcp(mllp());
    send_all(polite, mllp_frame(adt("A28", fresh("C"), fresh("N"), "Brack", "Tom")));
    shutdown(polite.get(), SHUT_WR);
    EXPECT_EQ(acknowledgement(hear(polite, 30, "\x1c").bytes), "AA");
    // One that takes no answer and goes away.
    for (int i = 0; i < 50; ++i) {
        const auto rude = tcp(mllp());
        send_all(rude, mllp_frame(adt("A28", fresh("C"), fresh("N"), "Brack", "Tom")));
        const linger at_once{1, 0};
        setsockopt(rude.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
}

// As many descriptors as a crowd needs; false: the machine does not give them.
bool may_open(rlim_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
    limit.rlim_cur = std::max(limit.rlim_cur, wanted);
    limit.rlim_max = std::max(limit.rlim_max, wanted); // root may
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// Two hosts that open what they can at the page and say nothing; who is sent away comes again.
TEST_F(BadInput, ThousandsOfSilentViewersKeepThePageFromNobody) {
    constexpr int each = 1'000, rounds = 4;
    ASSERT_TRUE(may_open(2 * each * rounds / 2 + 1'000)) << "raise the hard limit of open files";
    const auto displaced = metric("clinic_http_connections_displaced_total");
    std::vector<base::UniqueFd> crowd;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < each; ++i) {
            crowd.push_back(tcp(console(), i % 2 == 0 ? "127.0.0.3" : "127.0.0.4"));
            ASSERT_TRUE(crowd.back()) << i;
        }
        const auto asked = std::chrono::steady_clock::now();
        EXPECT_NE(box().page("/").find("HTTP/1.1 200"), std::string::npos) << round;
        EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds{5}) << round;
        EXPECT_TRUE(well());
    }
    EXPECT_GT(metric("clinic_http_connections_displaced_total"), displaced + each) << "the crowd was not large enough";
    EXPECT_TRUE(eventually([] {
        return footprint(process_of(box(), "clinicd")).descriptors < before_.descriptors + 900;
    })) << "no bound holds";
}

TEST_F(BadInput, SendersBeyondTheBoundsAreTurnedAwayAndTheOthersServed) {
    constexpr int in_all = 1'024, from_one = 64; // MllpOptions
    ASSERT_TRUE(may_open(in_all + 1'000)) << "raise the hard limit of open files";
    const std::string full = "clinic_mllp_connections_refused_total{reason=\"full\"}";
    const auto from = log().size();
    auto refused = metric(full);
    std::vector<base::UniqueFd> senders;
    // As many as one sender may have, and one more.
    for (int i = 0; i < from_one; ++i) {
        senders.push_back(tcp(mllp(), "127.0.1.1"));
        ASSERT_TRUE(senders.back()) << i;
    }
    EXPECT_TRUE(hear(tcp(mllp(), "127.0.1.1"), 30).ended);
    ++refused;
    EXPECT_TRUE(eventually([&] { return metric(full) == refused; })) << metric(full);
    EXPECT_TRUE(well()) << "another is served";
    // As many as there may be in all, and one more.
    for (int i = from_one; i < in_all; ++i) {
        senders.push_back(tcp(mllp(), ("127.0.1." + std::to_string(1 + i / from_one)).c_str()));
        ASSERT_TRUE(senders.back()) << i;
    }
    EXPECT_TRUE(eventually([] { return metric("clinic_mllp_connections") == in_all; }))
        << metric("clinic_mllp_connections");
    EXPECT_TRUE(hear(tcp(mllp(), "127.0.2.1"), 30).ended);
    ++refused;
    EXPECT_TRUE(eventually([&] { return metric(full) == refused; })) << metric(full);
    EXPECT_TRUE(eventually([&] {
        EXPECT_TRUE(hear(tcp(mllp(), "127.0.2.1"), 30).ended);
        return is_said(from, "a connection above the bound was turned away",
                       "from=127.0.2.1 port=" + std::to_string(mllp()));
    })) << log().substr(from);
    // Who is in is served, and who comes when one has left.
    send_all(senders.back(), mllp_frame(adt("A28", fresh("C"), fresh("N"), "Brack", "Tom")));
    EXPECT_EQ(acknowledgement(hear(senders.back(), 30, "\x1c").bytes), "AA");
    EXPECT_NE(box().page("/").find("HTTP/1.1 200"), std::string::npos);
    senders.pop_back();
    EXPECT_TRUE(eventually(well));
}

TEST_F(BadInput, LocalSocketsOutliveWhatIsNoQuestion) {
    const auto control = box().folder() / "run" / "control.sock";
    const std::string far{"\xff\xff\xff\xff", 4}, empty(4, '\0');
    const auto part = [](const std::string& text) {
        std::string head(4, '\0');
        head[2] = static_cast<char>(text.size() >> 8), head[3] = static_cast<char>(text.size());
        return head + text;
    };
    for (const std::string& question :
         {far, empty, part("{"), part("[]"), part(R"({"v":1,"command":"status","args":[]})"),
          part(R"({"v":1,"command":"status","args":{},"more":1})"), part(R"({"v":1,"command":"nothing","args":{}})"),
          part(std::string(60'000, '[')), part(R"({"v":1,"command":"basis-set","args":{"mode":7}})") + far,
          part(R"({"v":1,"command":"import","args":{"kind":"patients"}})") + part(std::string(65'000, '"')) + empty}) {
        const auto asker = unix_socket(control, SOCK_STREAM, geteuid());
        ASSERT_TRUE(asker);
        send_all(asker, question);
        shutdown(asker.get(), SHUT_WR);
        const auto heard = hear(asker, 60);
        EXPECT_TRUE(heard.ended);
        EXPECT_NE(heard.bytes.find(R"("ok":false)"), std::string::npos) << heard.bytes;
        EXPECT_NE(heard.bytes.find(R"("what":")"), std::string::npos);
    }
    {
        const auto silent = unix_socket(control, SOCK_STREAM, geteuid());
        EXPECT_NE(box().ctl("status").out.find("No way out"), std::string::npos);
    }
    if (geteuid() != 0) return; // then clinic-syncd is our user, and nobody is a stranger
    const auto egress = box().folder() / "run" / "egress.sock";
    const auto stranger = unix_socket(egress, SOCK_SEQPACKET, 0);
    EXPECT_TRUE(hear(stranger, 30).ended);
}

} // namespace
} // namespace clinic::e2e
