// Mutated frames to clinicd's side of egress.sock, over a real socket and a real store: each is answered, with the
// closed vocabulary of replies, and the connection and the books outlive all of them.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstring>
#include <set>
#include <sstream>

#include "daemon/egress/egress_server.h"
#include "tests/daemon/release/clinic.h"
#include "tests/support/campaign.h"
#include "tests/support/mutation.h"
#include "tests/sync/envelope/samples.h"

namespace clinic::egress {
namespace {

constexpr int frames_a_round = 400;

base::UniqueFd socket_at(const std::filesystem::path& path, bool listening) {
    base::UniqueFd fd{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    const auto* at = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(listening ? bind(fd.get(), at, sizeof address) : connect(fd.get(), at, sizeof address), 0);
    if (listening) {
        EXPECT_EQ(listen(fd.get(), 4), 0);
    }
    const timeval patience{60, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

// A question that clinicd may hold for a while is a good frame, and is left out.
bool would_wait(const std::string& frame) {
    const auto request = envelope::decode_request(frame);
    const auto* lease = request ? std::get_if<envelope::LeaseRequest>(&*request) : nullptr;
    return lease != nullptr && lease->wait_ms > 0;
}

// One line for each frame that was refused as it was read: what is wrong with it, and what to do.
void expect_said(const std::string& log, std::int64_t broken) {
    std::istringstream in{log};
    std::int64_t lines = 0;
    for (std::string line; std::getline(in, line); ++lines) {
        const auto what = line.find("egress: "), remedy = line.find("; ");
        EXPECT_TRUE(what != std::string::npos && remedy != std::string::npos && remedy > what + 8) << line;
    }
    EXPECT_GE(lines, broken);
}

TEST(BadFrames, AreEachAnsweredAndChangeNothing) {
    const fakes::TempFolder folder;
    release::testing::Clinic clinic;
    health::Health health{{.box = "box-1", .version = "0.1.0", .records = folder.path()}, clinic.clock};
    Gate gate{{.rules = {.location = "LOC1", .tag_prefix = "ce-", .fields = {"a", "b", "c", "d", "e", "f"}}},
              clinic.store->identifiers(),
              clinic.releaser};
    clinic.set_basis(release::Basis::baa);
    clinic.add("N1", "Quillfeather");
    health.attach(*clinic.store);
    EgressServer server{
        socket_at(folder / "egress.sock", true), {}, gate, *clinic.store, clinic.releaser, health, clinic.clock};
    ASSERT_TRUE(server.start());
    const auto caller = socket_at(folder / "egress.sock", false);

    std::vector<std::string> samples{
        envelope::encode(envelope::Request{envelope::LeaseRequest{envelope::Destination::crm, 0}})};
    for (const auto& request : envelope::samples::requests()) samples.push_back(envelope::encode(request));
    const std::set<std::string> codes{"malformed", "refused", "busy"}; // docs/egress.md; the store is open
    std::int64_t refused = 0, served = 0;
    support::Campaign campaign{
        {.name = "bad_frames", .what = "mutated frames", .plain = 10, .most = 500, .weight = frames_a_round}};
    while (const auto seed = campaign.next()) {
        support::Mutator mutate{*seed, "\"{}[],:\\0179-eE_/ \n"};
        std::int64_t broken = 0;
        ::testing::internal::CaptureStderr();
        for (int i = 0; i < frames_a_round; ++i) {
            const std::string frame = mutate.from(samples);
            if (frame.empty() || would_wait(frame)) continue;
            broken += envelope::decode_request(frame) ? 0 : 1;
            ASSERT_EQ(send(caller.get(), frame.data(), frame.size(), MSG_NOSIGNAL), static_cast<ssize_t>(frame.size()));
            std::string reply(envelope::frame_bytes_max, '\0');
            const ssize_t got = recv(caller.get(), reply.data(), reply.size(), 0);
            ASSERT_GT(got, 0) << frame;
            const auto read = envelope::decode_reply({reply.data(), static_cast<std::size_t>(got)});
            ASSERT_TRUE(read) << frame;
            const auto* no = std::get_if<envelope::Refused>(&*read);
            ++(no != nullptr ? refused : served);
            ASSERT_TRUE(no == nullptr || codes.contains(no->code)) << no->code;
        }
        expect_said(::testing::internal::GetCapturedStderr(), broken);
        ASSERT_TRUE(clinic.books().balanced());
    }
    EXPECT_GT(refused, served);
    EXPECT_GT(served, 0) << "the mutations are so wild that they prove nothing";
    EXPECT_EQ(clinic.books().delivered, 0);
    health.detach();
}

} // namespace
} // namespace clinic::egress
