// Senders with names, TLS, the message browser and the quarantine, on a whole box.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "crypto/base/owned.h"
#include "tests/e2e/box.h"
#include "tests/e2e/wire.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr const char *family = "Quetzalcoatlus", *given = "Philippa";

class Feeds : public testing::Test {
protected:
    static void SetUpTestSuite() {
        signal(SIGPIPE, SIG_IGN);
        box_ = std::make_unique<Box>();
    }
    static void TearDownTestSuite() { box_.reset(); }
    static Box& box() { return *box_; }
    static std::string fresh(const std::string& letter) { return letter + std::to_string(++counter_); }
    // By clinicctl: the page's may be 20 ms behind what was just acknowledged.
    static json status_of_now() { return json::parse(box().ctl("status --json").out); }
    static json feed(const std::string& name) { return status_of_now().at("feeds").value(name, json{}); }
    static std::int64_t booked(const char* key) {
        return status_of_now().at("intake").at("mllp").at(key).get<std::int64_t>();
    }

    // The newest message's number.
    static std::string newest() {
        const auto rows = json::parse(box().ctl("messages list --limit 1 --json").out);
        return std::to_string(rows.at(0).at("id").get<std::int64_t>());
    }

    static inline std::unique_ptr<Box> box_;
    static inline int counter_ = 0;
};

// One frame over TLS with that certificate; the answer, or empty.
std::string send_by_tls(const Box& box, const std::string& message, bool with_certificate) {
    const auto& to = box.endpoints().at("mllp_tls");
    const auto text = [&](const char* key) { return to.at(key).get<std::string>(); };
    const std::unique_ptr<SSL_CTX, base::FreedBy<SSL_CTX_free>> context{SSL_CTX_new(TLS_client_method())};
    SSL_CTX_load_verify_locations(context.get(), text("ca").c_str(), nullptr);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (with_certificate) {
        SSL_CTX_use_certificate_file(context.get(), text("cert").c_str(), SSL_FILETYPE_PEM);
        SSL_CTX_use_PrivateKey_file(context.get(), text("key").c_str(), SSL_FILETYPE_PEM);
    }
    const base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval patience{20, 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(to.at("port").get<unsigned short>());
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) return "";
    const std::unique_ptr<SSL, base::FreedBy<SSL_free>> session{SSL_new(context.get())};
    SSL_set_fd(session.get(), socket.get());
    const std::string frame = "\x0b" + message + "\x1c\r";
    if (SSL_connect(session.get()) != 1 ||
        SSL_write(session.get(), frame.data(), static_cast<int>(frame.size())) != static_cast<int>(frame.size()))
        return "";
    std::string answer;
    std::array<char, 4'096> part{};
    while (answer.find('\x1c') == std::string::npos) {
        const int got = SSL_read(session.get(), part.data(), static_cast<int>(part.size()));
        if (got <= 0) break;
        answer.append(part.data(), static_cast<std::size_t>(got));
    }
    return answer;
}

TEST_F(Feeds, ASenderComesByTlsAndIsKnownByItsCertificate) {
    EXPECT_EQ(send_by_tls(box(), adt("A28", fresh("C"), fresh("N"), family, given), false), "");
    EXPECT_EQ(box().ctl("feed add pms --certificate pms --sender 'PMS|CLINIC'").exit, 0);
    EXPECT_TRUE(feed("pms").at("last_message_s").is_null()) << "it is shown before its first message";
    EXPECT_NE(send_by_tls(box(), adt("A28", fresh("C"), fresh("N"), family, given), true).find("MSA|AA|"),
              std::string::npos);
    EXPECT_TRUE(eventually([] { return feed("pms").value("stored", 0) == 1; }));
    EXPECT_TRUE(feed("pms").at("balanced").get<bool>());
    EXPECT_LT(feed("pms").at("last_message_s").get<int>(), 60) << "it is fresh";
    const auto status = box().status();
    EXPECT_EQ(status.at("intake").size(), 2U);
    EXPECT_EQ(status.at("containment").at("held"), status.at("containment").at("all"));
    const std::string metrics = box().page("/metrics");
    EXPECT_NE(metrics.find("clinic_sender_messages_total{sender=\"pms\",result=\"stored\"} 1"), std::string::npos);
    EXPECT_NE(metrics.find("clinic_mllp_tls_handshakes_total 1"), std::string::npos) << metrics;
    EXPECT_EQ(box().ctl("feed remove pms").exit, 0);
    EXPECT_TRUE(eventually([] { return feed("pms").is_null(); }));
}

TEST_F(Feeds, AnAddressComesInForAsLongAsItsFeedIsThere) {
    constexpr const char* annex = "127.0.0.9"; // on no list
    const auto plain_port = box().mllp_port();
    const auto answer_from_annex = [&](const base::UniqueFd& socket) {
        if (!send_all(socket, mllp_frame(adt("A28", fresh("C"), fresh("N"), family, given)))) return std::string{};
        return acknowledgement(hear(socket, 20, "\x1c").bytes);
    };
    EXPECT_EQ(answer_from_annex(tcp(plain_port, annex)), "") << "a stranger is hung up on";
    EXPECT_EQ(box().ctl(std::string{"feed add annex --address="} + annex).exit, 0);
    const auto connection = tcp(plain_port, annex);
    EXPECT_EQ(answer_from_annex(connection), "AA");
    EXPECT_EQ(feed("annex").at("stored"), 1);
    EXPECT_EQ(box().ctl("feed set annex --address none --certificate annex").exit, 0);
    EXPECT_TRUE(hear(connection, 5).ended) << "it is on no list any more";
    EXPECT_EQ(answer_from_annex(tcp(plain_port, annex)), "");
    EXPECT_EQ(box().ctl("feed remove annex").exit, 0);
}

TEST_F(Feeds, AMessageIsReadAndShownInItsSendersCharacterSet) {
    EXPECT_EQ(box().ctl("feed add warsaw --address 127.0.0.1 --character-set 8859/2").exit, 0);
    EXPECT_NE(box().send(adt("A28", fresh("C"), fresh("N"), "\xA3ukasiewicz", given)).find("MSA|AA|"),
              std::string::npos);
    const auto shown = box().ctl("messages show " + newest() + " --reveal --reason 'its letters look odd'");
    EXPECT_NE(shown.out.find("\xC5\x81ukasiewicz"), std::string::npos) << shown.out;
    EXPECT_EQ(box().ctl("feed remove warsaw").exit, 0);
}

// One question on control.sock, beside clinicctl: what it does not offer, so that a test need not wait for minutes.
std::string ask_control(const Box& box, const json& question) {
    const auto asker = unix_socket(box.folder() / "run" / "control.sock", SOCK_STREAM, geteuid());
    const std::string text = question.dump();
    std::string frame(4, '\0');
    frame[2] = static_cast<char>(text.size() >> 8), frame[3] = static_cast<char>(text.size());
    EXPECT_TRUE(send_all(asker, frame + text));
    return hear(asker, 20, "}").bytes;
}

TEST_F(Feeds, ASenderThatIsSilentForLongerThanExpectedIsSeenEverywhere) {
    EXPECT_EQ(box().ctl("feed add lab --address 127.0.0.77 --expect 10m").exit, 0);
    EXPECT_EQ(feed("lab").at("state"), "on_time") << "it has ten minutes";
    EXPECT_EQ(feed("lab").at("expected_s"), 600);
    EXPECT_NE(box().page("/").find(" · on time<"), std::string::npos);
    ask_control(box(), {{"v", 1}, {"command", "feed-set"}, {"args", {{"name", "lab"}, {"expected_since_us", 1}}}});
    ASSERT_TRUE(eventually([] { return feed("lab").at("state") == "silent"; })) << feed("lab").dump();
    EXPECT_NE(box().page("/").find("data-state=\"look\"><dt>Last from lab</dt>"), std::string::npos);
    EXPECT_NE(box().page("/").find(" · silent for too long<"), std::string::npos);
    EXPECT_NE(box().page("/metrics").find("clinic_sender_silent{sender=\"lab\"} 1"), std::string::npos);
    EXPECT_NE(box().ctl("status").out.find("silent; expected every 10 minutes"), std::string::npos);
    const auto list = box().ctl("feed list").out;
    EXPECT_NE(list.find("SILENT"), std::string::npos) << list;
    EXPECT_NE(list.find("10m, always"), std::string::npos) << list;
    EXPECT_EQ(box().ctl("feed set lab --hours '9 to 5'").exit, 2);
    EXPECT_EQ(box().ctl("feed set lab --expect none").exit, 0);
    EXPECT_EQ(feed("lab").at("state"), "nothing_expected");
    EXPECT_EQ(box().ctl("feed remove lab").exit, 0);
}

TEST_F(Feeds, ASettingIsInEffectWithoutARestart) {
    const auto book = [](const std::string& control, const std::string& visit) {
        std::string message = adt("A05", control, "V" + visit, family, given);
        return message + "PV1|1|O|||||||||||||||||" + visit + std::string(25, '|') + "20301201090000+0000\r";
    };
    EXPECT_NE(box().send(book(fresh("C"), "1")).find("MSA|AA|"), std::string::npos);
    EXPECT_EQ(
        box().ctl("feed add medway --address 127.0.0.1 --preadmit appointment --status-word 'Roomed=arrived'").exit, 0);
    EXPECT_NE(box().send(book(fresh("C"), "2")).find("MSA|AA|"), std::string::npos);
    const auto kinds = json::parse(box().ctl("messages list --feed medway --json").out);
    ASSERT_EQ(kinds.size(), 1U);
    EXPECT_EQ(kinds.at(0).at("kind"), "ADT^A05");
    EXPECT_EQ(box().ctl("feed set medway --ack enhanced").exit, 0);
    EXPECT_NE(box().send(adt("A28", fresh("C"), fresh("N"), family, given)).find("MSA|CA|"), std::string::npos);
    EXPECT_NE(box().ctl("feed show medway").out.find("\"preadmit\":\"appointment\""), std::string::npos);
    EXPECT_EQ(box().ctl("feed add medway --address 127.0.0.1").exit, 2);
    EXPECT_EQ(box().ctl("feed set medway --address 10.0.0.0/40").exit, 2);
    EXPECT_NE(box().ctl("feed list").out.find("medway"), std::string::npos);
    EXPECT_EQ(box().ctl("feed remove medway").exit, 0);
    EXPECT_EQ(box().ctl("feed remove medway").exit, 2);
    EXPECT_EQ(box().ctl("audit verify").exit, 0);
}

TEST_F(Feeds, AMessageIsShownMaskedAndInFullOnlyForAReason) {
    const std::string number = fresh("MRN");
    EXPECT_NE(box().send(adt("A28", fresh("C"), number, family, given)).find("MSA|AA|"), std::string::npos);
    const auto list = box().ctl("messages list --since 1h");
    EXPECT_EQ(list.exit, 0);
    EXPECT_EQ(list.out.find(family), std::string::npos) << list.out;
    const std::string id = newest();
    const auto masked = box().ctl("messages show " + id);
    EXPECT_NE(masked.out.find("PID|9||x^^^x^x||x^x||99999999"), std::string::npos) << masked.out;
    for (const char* secret : {family, given, "Elm", "5550199"}) EXPECT_EQ(masked.out.find(secret), std::string::npos);
    const auto refused = box().ctl("messages show " + id + " --reveal");
    EXPECT_EQ(refused.exit, 2);
    EXPECT_NE(refused.out.find("--reason"), std::string::npos);
    EXPECT_EQ(refused.out.find(family), std::string::npos);
    const auto entries = status_of_now().at("store").at("audit_entries").get<std::int64_t>();
    const auto revealed = box().ctl("messages show " + id + " --reveal --reason 'the sender asks why'");
    EXPECT_EQ(revealed.exit, 0);
    EXPECT_NE(revealed.out.find(std::string{family} + "^" + given), std::string::npos) << revealed.out;
    EXPECT_GT(status_of_now().at("store").at("audit_entries").get<std::int64_t>(), entries);
    EXPECT_EQ(box().ctl("messages show 999999").exit, 2);
    EXPECT_EQ(box().ctl("messages show x").exit, 2);
}

TEST_F(Feeds, AnItemOfTheQuarantineIsShownAndReplayed) {
    const std::string bad = "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|20261121||ADT^A28|" + fresh("C") + "|P|2.5.1\rPID|1||" +
                            fresh("N") + "^^^CLINIC^MR||" + family + "^" + given + "||19801331\r";
    EXPECT_NE(box().send(bad).find("MSA|AE|"), std::string::npos);
    EXPECT_NE(box().ctl("quarantine list").out.find("not a date or time, segment 2, field 7"), std::string::npos);
    const auto items = json::parse(box().ctl("quarantine list --json").out);
    ASSERT_FALSE(items.empty());
    const std::string id = std::to_string(items.at(0).at("id").get<std::int64_t>());
    const auto shown = box().ctl("quarantine show " + id);
    EXPECT_NE(shown.out.find("not a date or time (segment 2, field 7)"), std::string::npos) << shown.out;
    EXPECT_EQ(shown.out.find(family), std::string::npos);
    EXPECT_NE(box().ctl("quarantine show " + id + " --reveal --reason 'what date is it'").out.find("19801331"),
              std::string::npos);
    const auto before = status_of_now().at("intake");
    const auto replayed = box().ctl("quarantine replay " + id);
    EXPECT_EQ(replayed.exit, 1) << "it is as wrong as it was";
    EXPECT_NE(replayed.out.find(id + ": quarantined"), std::string::npos) << replayed.out;
    EXPECT_EQ(box().ctl("quarantine replay --all").exit, 1);
    EXPECT_EQ(box().ctl("quarantine replay").exit, 2);
    EXPECT_EQ(status_of_now().at("intake"), before);
    EXPECT_EQ(box().ctl("quarantine discard " + id).exit, 2) << "not without a reason";
    EXPECT_EQ(box().ctl("quarantine discard " + id + " --reason 'the sender has mended it'").exit, 0);
    EXPECT_EQ(box().ctl("quarantine replay --all").exit, 0) << "it waits no more";
}

TEST_F(Feeds, AFrameThatIsTooLongIsAnsweredAndBooked) {
    const auto refused = booked("refused");
    const std::string control = fresh("LONG");
    const auto answer =
        box().send(adt("A28", control, fresh("N"), family, given) + "NTE|1||" + std::string(3'000'000, 'x') + "\r");
    EXPECT_NE(answer.find("MSA|AR|" + control), std::string::npos) << answer;
    EXPECT_NE(answer.find("104^Value too long"), std::string::npos);
    EXPECT_TRUE(eventually([&] { return booked("refused") == refused + 1; }));
    EXPECT_TRUE(feed("mllp").at("balanced").get<bool>());
}

} // namespace
} // namespace clinic::e2e
