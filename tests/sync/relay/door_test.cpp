#include "sync/relay/door.h"

#include <gtest/gtest.h>

#include "crypto/secure_bytes.h"
#include "sync/relay/webhook.h"
#include "tests/daemon/https/tls_client.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/sync/relay/signed.h"

namespace clinic::relay {
namespace {

using https::TlsClient;

class RelayDoor : public testing::Test {
protected:
    RelayDoor() {
        EXPECT_TRUE(crypto::start());
        https::make_certificate(folder.path());
        DoorOptions options{.certificate = folder / "certificate.pem", .key = folder / "key.pem", .threads_max = 16};
        options.read_timeout = std::chrono::seconds{1};
        options.request_time_max = std::chrono::seconds{1};
        auto made = Door::make(options, reception, [this] { return well.load(); });
        EXPECT_TRUE(made);
        door = std::move(*made);
        auto socket = listen_at("127.0.0.1", 0);
        EXPECT_TRUE(socket);
        sockaddr_in at{};
        socklen_t size = sizeof at;
        getsockname(socket->get(), reinterpret_cast<sockaddr*>(&at), &size);
        port = ntohs(at.sin_port);
        EXPECT_TRUE(door->serve(std::move(*socket)));
    }
    std::string post(const std::string& body, const std::string& more = {}, const std::string& path = webhooks_path) {
        return "POST " + path + " HTTP/1.1\r\nHost: hooks.example\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n" + more + "\r\n" + body;
    }
    std::string signed_post(const std::string& body) {
        return post(body, "X-GHL-Signature: " + key.sign(body) + "\r\n");
    }
    int ask(const std::string& request) { return TlsClient{port}.ask(request).status; }

    const fakes::TempFolder folder;
    const test::Signer key = test::Signer::ed25519();
    fakes::ManualClock clock;
    Publisher publisher{{.broker = {}, .name = "r1"}};
    Reception reception{{.app = test::app, .boxes = {{test::location, {"demo-1", test::rules()}}}},
                        *Signature::make({key.public_key(), "", {}}),
                        publisher,
                        clock};
    std::atomic<bool> well{true};
    std::unique_ptr<Door> door;
    int port = 0;
};

TEST_F(RelayDoor, AnswersByWhatBecameOfTheWebhook) {
    const auto held_up = TlsClient{port}.ask(signed_post(test::contact().dump()));
    EXPECT_EQ(held_up.status, 429); // there is no broker
    EXPECT_EQ(held_up.headers.at("Retry-After"), "30");
    nlohmann::json note = test::contact();
    note["type"] = "NoteCreate";
    EXPECT_EQ(ask(signed_post(note.dump())), 200);
    EXPECT_EQ(ask(post(test::contact().dump())), 401);
    EXPECT_EQ(ask(signed_post("no JSON")), 400);
    note["locationId"] = "CEotherLocation00001";
    EXPECT_EQ(ask(signed_post(note.dump())), 403);
}

TEST_F(RelayDoor, KeepsAConnectionForTheNextWebhook) {
    TlsClient client{port, TLS1_2_VERSION}; // as GHL may
    nlohmann::json note = test::contact();
    note["type"] = "NoteCreate";
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.ask(signed_post(note.dump())).status, 200);
}

TEST_F(RelayDoor, RefusesByTheHeadWhatTwoReadersCouldReadDifferently) {
    const std::string begin = std::string{"POST "} + webhooks_path + " HTTP/1.1\r\nHost: hooks.example\r\n";
    for (const char* fields :
         {"Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 3\r\n",
          "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nHost: other\r\n",
          "Content-Length: 3\r\nExpect: 100-continue\r\n", "Content-Length: 3\r\nUpgrade: h2c\r\n"}) {
        TlsClient client{port};
        EXPECT_EQ(client.ask(begin + fields + "\r\nabc").status, 400) << fields;
        EXPECT_TRUE(client.is_over()) << fields; // nothing behind it is taken for a request
    }
    EXPECT_EQ(ask(begin + "\r\n"), 411);
    EXPECT_EQ(ask(begin + "Content-Length: " + std::to_string(webhook_bytes_max + 1) + "\r\n\r\n"), 413);
    EXPECT_EQ(ask(post("{}", "", "/elsewhere")), 404);
    EXPECT_EQ(ask(post("{}", "", "/health")), 405);
    EXPECT_EQ(ask(std::string{"GET "} + webhooks_path + " HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
    EXPECT_EQ(ask("POST /ghl/webhooks HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), 400);
    EXPECT_EQ(door->refused(), 12);
}

TEST_F(RelayDoor, SaysWhetherItIsWell) {
    EXPECT_EQ(TlsClient{port}.get("/health").status, 200);
    well = false;
    EXPECT_EQ(TlsClient{port}.get("/health").status, 503);
}

TEST_F(RelayDoor, EndsWhoDripsABody) {
    TlsClient slow{port};
    ASSERT_TRUE(
        slow.send(std::string{"POST "} + webhooks_path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"));
    bool ended = false;
    EXPECT_TRUE(fakes::eventually([&] {
        door->look();
        if (!slow.send("x")) ended = true;
        return ended;
    }));
}

TEST_F(RelayDoor, ServesOthersWhileAsManyAreSilentAsThereIsRoomFor) {
    std::vector<std::unique_ptr<TlsClient>> silent;
    for (int i = 0; i < 16; ++i) silent.push_back(std::make_unique<TlsClient>(port));
    EXPECT_TRUE(fakes::eventually([&] { return TlsClient{port}.get("/health").status == 200; }));
}

} // namespace
} // namespace clinic::relay
