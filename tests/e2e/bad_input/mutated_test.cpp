// Mutated input over the real sockets of a running box: each is answered or hung up on, and the box goes on.
#include <sys/socket.h>

#include <regex>

#include "tests/daemon/https/tls_client.h"
#include "tests/e2e/bad_input/room.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"

namespace clinic::e2e {
namespace {

using support::Campaign;
using support::Mutator;

class Mutated : public BadInput {};

constexpr int messages_a_round = 100, requests_a_round = 50, frames_a_round = 100;

// Each answer is positive, or says what to do.
bool is_clear(const std::string& answers) {
    for (std::size_t at = 0; (at = answers.find("\rMSA", at)) != std::string::npos; ++at) {
        const auto end = answers.find('\x1c', at);
        const auto code = answers.substr(at + 5, 2);
        if (code == "AA" || code == "CA") continue;
        if (answers.substr(at, end - at).find("; ") == std::string::npos) return false;
    }
    return answers.find("\rMSA") != std::string::npos;
}

TEST_F(Mutated, FramesOfSendersAreAnsweredOrHungUpOn) {
    Campaign campaign{{.name = "box_messages",
                       .what = "mutated MLLP streams",
                       .plain = 3,
                       .most = 1'000,
                       .weight = messages_a_round}};
    while (const auto seed = campaign.next()) {
        Mutator mutate{*seed, "|^~\\&\r\n\x0b\x1c.0129"};
        const std::vector<std::string> good{
            mllp_frame(adt("A28", fresh("C"), fresh("N"), "Quillfeather", "Ottoline")),
            mllp_frame(siu("S12", fresh("C"), fresh("N"), "Brack", "Tom", fresh("A"), 86'400, "Booked"))};
        const auto before = unanswered();
        std::int64_t silent = 0;
        for (int i = 0; i < messages_a_round; ++i) {
            const auto sender = tcp(mllp());
            ASSERT_TRUE(sender);
            const std::string stream = mutate.from(good);
            const bool is_silence = stream.find_first_not_of(std::string_view{"\r\n\0", 3}) == std::string::npos;
            send_all(sender, stream);
            shutdown(sender.get(), SHUT_WR);
            const auto heard = hear(sender, 60);
            ASSERT_TRUE(heard.ended);
            ASSERT_TRUE(heard.bytes.empty() || heard.bytes.front() == '\x0b');
            ASSERT_TRUE(heard.bytes.empty() || is_clear(heard.bytes)) << heard.bytes;
            if (!heard.bytes.empty() || is_silence) continue;
            ++silent; // at least one of the numbers grows by it
        }
        ASSERT_TRUE(eventually([&] { return unanswered() >= before + silent; })) << "neither answered nor counted";
        ASSERT_TRUE(well());
    }
}

TEST_F(Mutated, RequestsOfViewersAreAnsweredOrHungUpOn) {
    const std::vector<std::string> good{
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n",
        "GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:21001\r\nConnection: keep-alive\r\n\r\n",
        "HEAD /help/E2001 HTTP/1.0\r\nHost: clinic-edge.local\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"};
    Campaign campaign{
        {.name = "box_requests", .what = "mutated requests", .plain = 3, .most = 2'000, .weight = requests_a_round}};
    while (const auto seed = campaign.next()) {
        Mutator mutate{*seed, "\r\n:/ ?%.0129-HTP\t"};
        for (int i = 0; i < requests_a_round; ++i) {
            https::TlsClient client{console()};
            ASSERT_TRUE(client.connected());
            client.send(mutate.from(good));
            shutdown(client.fd(), SHUT_WR);
            if (!client.read_until("\r\n\r\n")) continue;
            const std::string head = client.take("\r\n\r\n");
            ASSERT_TRUE(std::regex_search(head, std::regex{"^[^ \r\n]+ [245][0-9][0-9] "})) << head;
        }
        ASSERT_TRUE(well());
    }
}

TEST_F(Mutated, QuestionsOfCallersAreAnsweredOrHungUpOn) {
    const unsigned syncd = geteuid() == 0 ? 61'702 : geteuid();
    const std::vector<std::string> frames{
        R"({"v":1,"frame":"device"})", R"({"v":1,"frame":"device_ack","event":0})",
        R"({"v":1,"frame":"lease","destination":"crm","wait_ms":0})",
        R"({"v":1,"frame":"settle","lease":9,"outcome":"retry","code":"throttled","retry_after_ms":1500,"counts_against":false,"contact":"","steps":[]})"};
    const auto part = [](const std::string& text) {
        std::string head(4, '\0');
        head[2] = static_cast<char>(text.size() >> 8), head[3] = static_cast<char>(text.size());
        return head + text;
    };
    const std::vector<std::string> questions{part(R"({"v":1,"command":"status","args":{}})"),
                                             part(R"({"v":1,"command":"ledger","args":{"after":3}})"),
                                             part(R"({"v":1,"command":"basis-show","args":{}})")};
    Campaign campaign{{.name = "box_questions",
                       .what = "mutated frames and questions",
                       .plain = 2,
                       .most = 1'000,
                       .weight = 2 * frames_a_round}};
    while (const auto seed = campaign.next()) {
        Mutator mutate{*seed, "\"{}[],:\\019-"};
        for (int i = 0; i < frames_a_round; ++i) {
            const auto caller = unix_socket(box().folder() / "run" / "egress.sock", SOCK_SEQPACKET, syncd);
            ASSERT_TRUE(caller);
            const std::string frame = mutate.from(frames);
            send_all(caller, frame);
            const bool answered_at_once = !frame.empty() && frame.find("wait_ms") == std::string::npos;
            ASSERT_TRUE(!answered_at_once || !hear(caller, 60, "}").bytes.empty()) << frame;
            const auto asker = unix_socket(box().folder() / "run" / "control.sock", SOCK_STREAM, geteuid());
            ASSERT_TRUE(asker);
            send_all(asker, mutate.from(questions));
            shutdown(asker.get(), SHUT_WR);
            ASSERT_TRUE(hear(asker, 60).ended);
        }
        ASSERT_TRUE(well());
    }
}

} // namespace
} // namespace clinic::e2e
