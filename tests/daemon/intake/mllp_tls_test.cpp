// MLLP by TLS: a server with a certificate of a CA made here, and clients with one of it, of another, and with none.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cstdlib>
#include <filesystem>

#include "daemon/intake/mllp_server.h"
#include "daemon/intake/tls_session.h"
#include "tests/daemon/intake/desk.h"
#include "tests/daemon/intake/mllp_port.h"

namespace clinic::intake {
namespace {

using testing::Desk;
using testing::echo;
using testing::eventually;
using testing::field_of;
using testing::framed;
using testing::joined;
using testing::msh;
using testing::Port;

// ca.pem, other-ca.pem; server, pms and stranger (of the other CA) with their keys.
const std::filesystem::path& certificates() {
    static const fakes::TempFolder folder;
    static const bool made = [] {
        const std::string script = "cd '" + folder.path().string() + R"(' && exec >made.log 2>&1
authority() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.pem -days 2 -subj "/CN=$1"; }
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -out $1.csr -subj "/CN=$1"
    printf 'subjectAltName=DNS:%s.clinic.example\nbasicConstraints=CA:FALSE\n' $1 >$1.ext
    openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -days 2 -out $1.pem -extfile $1.ext
}
authority ca; authority other-ca; certificate server ca; certificate pms ca; certificate nobody ca; certificate stranger other-ca)";
        return std::system(script.c_str()) == 0;
    }();
    EXPECT_TRUE(made);
    return folder.path();
}

class Client {
public:
    // Empty: it shows no certificate.
    Client(in_port_t port, const std::string& name) : socket_{testing::connected_to(port)} {
        const timeval patience{testing::patience_ms / 1'000, 0};
        setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        context_.reset(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_load_verify_locations(context_.get(), (certificates() / "ca.pem").c_str(), nullptr);
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        if (!name.empty()) {
            SSL_CTX_use_certificate_file(context_.get(), (certificates() / (name + ".pem")).c_str(), SSL_FILETYPE_PEM);
            SSL_CTX_use_PrivateKey_file(context_.get(), (certificates() / (name + ".key")).c_str(), SSL_FILETYPE_PEM);
        }
    }
    Client& only(int version) {
        SSL_CTX_set_max_proto_version(context_.get(), version);
        return *this;
    }
    bool greet() {
        session_.reset(SSL_new(context_.get()));
        SSL_set_fd(session_.get(), socket_.get());
        return SSL_connect(session_.get()) == 1;
    }
    void send(const std::string& bytes) {
        EXPECT_EQ(SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size())),
                  static_cast<int>(bytes.size()));
    }
    // The next answer without its frame; empty: the connection ended.
    std::string answer() {
        std::array<char, 4'096> part{};
        for (;;) {
            const std::size_t end = received_.find("\x1C\r");
            if (end != std::string::npos) {
                std::string text = received_.substr(1, end - 1);
                received_.erase(0, end + 2);
                return text;
            }
            const int count = SSL_read(session_.get(), part.data(), static_cast<int>(part.size()));
            if (count <= 0) return {};
            received_.append(part.data(), static_cast<std::size_t>(count));
        }
    }
    int raw() const { return socket_.get(); }
    SSL* session() { return session_.get(); }

private:
    base::UniqueFd socket_;
    std::unique_ptr<SSL_CTX, base::FreedBy<SSL_CTX_free>> context_;
    std::unique_ptr<SSL, base::FreedBy<SSL_free>> session_;
    std::string received_;
};

struct Served {
    Served(const Clock& clock, MllpServer::Handler handler, MllpOptions options = {}) {
        signal(SIGPIPE, SIG_IGN); // the client's library writes without asking for less
        auto context = TlsContext::read({.certificate = certificates() / "server.pem",
                                         .key = certificates() / "server.key",
                                         .client_ca = certificates() / "ca.pem"});
        EXPECT_TRUE(context);
        if (!options.feeds && options.allowed.empty()) options.allowed = {"127.0.0.0/8"};
        auto started = MllpServer::start({std::move(plain.listener), std::move(tls.listener), *context}, options, clock,
                                         std::move(handler));
        EXPECT_TRUE(started);
        server = std::move(*started);
    }
    Port plain, tls;
    std::unique_ptr<MllpServer> server;
};

TEST(MllpTls, AnswersASenderWithACertificateByBothVersions) {
    base::SystemClock clock;
    Served served{clock, echo};
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client client{served.tls.number, "pms"};
        ASSERT_TRUE(client.only(version).greet());
        client.send(framed("one") + "\x0Btw");
        client.send("o\x1C\r");
        EXPECT_EQ(client.answer(), "one");
        EXPECT_EQ(client.answer(), "two");
        client.send(framed(std::string(200'000, 'x')));
        EXPECT_EQ(client.answer().size(), 200'000U) << "an answer of many records";
    }
    EXPECT_EQ(served.server->numbers().secured, 2U);
}

TEST(MllpTls, RefusesWhoHasNoCertificateOfTheCa) {
    base::SystemClock clock;
    Served served{clock, echo};
    for (const char* name : {"", "stranger"}) {
        Client client{served.tls.number, name};
        if (client.greet()) client.send(framed("x")); // by 1.3 the client learns of it afterwards
        EXPECT_EQ(client.answer(), "") << name;
    }
    EXPECT_FALSE(Client(served.tls.number, "pms").only(TLS1_1_VERSION).greet());
    EXPECT_TRUE(eventually([&] { return served.server->numbers().open == 0; }));
    EXPECT_GE(served.server->numbers().tls_failed, 2U);
    EXPECT_EQ(served.server->numbers().secured, 0U);
    EXPECT_EQ(served.server->numbers().frames, 0U);
}

TEST(MllpTls, ServesThePlainPortBesideItAndTakesNoPlainTextItself) {
    base::SystemClock clock;
    Served served{clock, echo};
    Client plain{served.tls.number, ""};
    const std::string frame = framed("MSH|plain");
    EXPECT_EQ(send(plain.raw(), frame.data(), frame.size(), MSG_NOSIGNAL), static_cast<ssize_t>(frame.size()));
    EXPECT_TRUE(eventually([&] { return served.server->numbers().tls_failed == 1; }));
    Client other{served.plain.number, ""};
    EXPECT_EQ(send(other.raw(), frame.data(), frame.size(), MSG_NOSIGNAL), static_cast<ssize_t>(frame.size()));
    std::array<char, 64> answer{};
    EXPECT_EQ(recv(other.raw(), answer.data(), frame.size(), MSG_WAITALL), static_cast<ssize_t>(frame.size()));
    EXPECT_EQ(served.server->numbers().frames, 1U);
}

TEST(MllpTls, AnswersASenderThatHasSaidGoodbye) {
    base::SystemClock clock;
    Served served{clock, echo};
    for (const std::string& bytes : {framed("one"), std::string{"\x0Bone\x1C"}, framed("nought") + "\x0Bone\x1C"}) {
        Client sender{served.tls.number, "pms"};
        ASSERT_TRUE(sender.greet());
        sender.send(bytes);
        EXPECT_EQ(SSL_shutdown(sender.session()), 0) << "it waits for our goodbye";
        std::string newest = sender.answer();
        if (newest == "nought") newest = sender.answer();
        EXPECT_EQ(newest, "one");
        EXPECT_EQ(sender.answer(), "") << "and then it is over";
    }
    EXPECT_TRUE(eventually([&] { return served.server->numbers().open == 0; }));
    EXPECT_EQ(served.server->numbers().frames, 4U);
}

// What is cut into by somebody between is not taken for a message, and nobody else is held up.
TEST(MllpTls, EndsAConnectionWithARecordThatIsNone) {
    base::SystemClock clock;
    Served served{clock, echo};
    Client good{served.tls.number, "pms"}, broken{served.tls.number, "pms"};
    ASSERT_TRUE(good.greet() && broken.greet());
    broken.send("\x0Bhalf a mess");
    const std::string record{"\x17\x03\x03\x00\x10"
                             "age\x1C\r............",
                             21};
    EXPECT_EQ(send(broken.raw(), record.data(), record.size(), MSG_NOSIGNAL), static_cast<ssize_t>(record.size()));
    EXPECT_EQ(broken.answer(), "");
    EXPECT_TRUE(eventually([&] { return served.server->numbers().open == 1; }));
    EXPECT_EQ(served.server->numbers().tls_failed, 1U);
    EXPECT_EQ(served.server->numbers().frames, 0U);
    EXPECT_EQ(served.server->numbers().lost, 1U) << "what had begun is booked";
    good.send(framed("here"));
    EXPECT_EQ(good.answer(), "here");
}

TEST(MllpTls, EndsAHandshakeThatDoesNotEnd) {
    fakes::ManualClock clock;
    Served served{clock, echo};
    Client silent{served.tls.number, "pms"}, half{served.tls.number, "pms"};
    const std::string hello{"\x16\x03\x01\x02\x00\x01", 6};
    EXPECT_EQ(send(half.raw(), hello.data(), hello.size(), MSG_NOSIGNAL), static_cast<ssize_t>(hello.size()));
    Client good{served.tls.number, "pms"};
    ASSERT_TRUE(good.greet());
    good.send(framed("here"));
    EXPECT_EQ(good.answer(), "here");
    clock.advance(std::chrono::seconds{11});
    EXPECT_TRUE(eventually([&] {
        const auto numbers = served.server->numbers();
        return numbers.timed_out == 2 && numbers.open == 1;
    })) << "one that is silent after its handshake may be";
    good.send(framed("still here"));
    EXPECT_EQ(good.answer(), "still here");
}

TEST(MllpTls, KnowsASenderByItsCertificate) {
    Desk desk{{FeedSettings{.name = "pms", .certificate = "pms.clinic.example"}}};
    desk.feeds = *Feeds::make({});
    ASSERT_TRUE(desk.store->read([&](records::Snapshot& snapshot) { return desk.feeds->load(snapshot); }));
    auto ingest = std::make_unique<Ingest>(*desk.store, desk.releaser, desk.clock, desk.feeds, [](Literal, Literal) {});
    {
        Served served{
            desk.clock,
            [&](Frame frame, MllpServer::Answer answer) { ingest->message(std::move(frame), std::move(answer)); },
            {.feeds = desk.feeds}};
        Client pms{served.tls.number, "pms"};
        ASSERT_TRUE(pms.greet());
        pms.send(framed(joined({msh("ADT^A04", "1"), "PID|1||10^^^HOSP^MR"})));
        EXPECT_EQ(field_of(pms.answer(), "MSA", 1), "AA");
        EXPECT_EQ(desk.books(feed_of("pms")).stored, 1);

        Client nobody{served.tls.number, "nobody"};
        if (nobody.greet()) nobody.send(framed("MSH|"));
        EXPECT_EQ(nobody.answer(), "") << "a good certificate, of nobody that has a name here";
        EXPECT_EQ(served.server->numbers().refused_certificate, 1U);

        // Taken off the list while it is connected: it gets the end, within a look around.
        EXPECT_TRUE(desk.store->write([&](records::Transaction& txn) { return desk.feeds->remove(txn, "pms"); }));
        desk.clock.advance(std::chrono::seconds{1});
        EXPECT_EQ(pms.answer(), "");
        EXPECT_EQ(SSL_get_shutdown(pms.session()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN) << "and is told so";
    }
    desk.store.reset();
}

TEST(MllpTls, AnswersAFrameAboveItsBoundHereToo) {
    base::SystemClock clock;
    Served served{clock, echo, {.frame_bytes_max = 1'000}};
    Client client{served.tls.number, "pms"};
    ASSERT_TRUE(client.greet());
    client.send("\x0BMSH|head\r" + std::string(100'000, 'x'));
    EXPECT_EQ(client.answer(), "!MSH|head");
    EXPECT_EQ(client.answer(), "");
}

TEST(MllpTls, NeedsFilesThatFit) {
    const auto read = [](const char* certificate, const char* key, const char* ca) {
        return TlsContext::read({.certificate = certificates() / certificate,
                                 .key = certificates() / key,
                                 .client_ca = certificates() / ca});
    };
    EXPECT_TRUE(read("server.pem", "server.key", "ca.pem"));
    EXPECT_EQ(read("server.pem", "pms.key", "ca.pem").error().code, Errc::malformed);
    EXPECT_FALSE(read("absent.pem", "server.key", "ca.pem"));
    EXPECT_FALSE(read("server.pem", "server.key", "made.log"));
}

} // namespace
} // namespace clinic::intake
