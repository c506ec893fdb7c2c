// egress.sock with a real store behind it, and its callers.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "daemon/egress/egress_server.h"
#include "tests/daemon/release/clinic.h"

namespace clinic::egress {

using envelope::Answer;
using envelope::Destination;
using envelope::Field;

inline const envelope::WriteRules rules{
    .location = "LOC1",
    .tag_prefix = "ce-",
    .fields = {"fieldpid", "fieldstage", "fieldlast", "fieldnext", "fieldstatus", "fieldwhen"}};

inline base::UniqueFd listen_on(const std::filesystem::path& path) {
    base::UniqueFd fd{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd.get(), 16), 0);
    return fd;
}

// One connection of clinic-syncd.
class Caller {
public:
    explicit Caller(const std::filesystem::path& path) : fd_{socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)} {
        const timeval patience{20, 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    void say(const std::string& bytes) const {
        EXPECT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    std::optional<envelope::Reply> hear() const {
        std::string frame(envelope::frame_bytes_max, '\0');
        const ssize_t got = recv(fd_.get(), frame.data(), frame.size(), 0);
        if (got <= 0) return std::nullopt;
        auto reply = envelope::decode_reply({frame.data(), static_cast<std::size_t>(got)});
        EXPECT_TRUE(reply);
        return reply ? std::optional{std::move(*reply)} : std::nullopt;
    }
    template <class Reply>
    Reply ask(const envelope::Request& request) const {
        say(envelope::encode(request));
        auto reply = hear();
        EXPECT_TRUE(reply && std::holds_alternative<Reply>(*reply));
        return reply && std::holds_alternative<Reply>(*reply) ? std::get<Reply>(std::move(*reply)) : Reply{};
    }
    envelope::Lease lease(int wait_ms = 0) const {
        return ask<envelope::Lease>(envelope::LeaseRequest{Destination::crm, wait_ms});
    }

private:
    base::UniqueFd fd_;
};

// The store's writer, held up until it may go on. What its thread still holds outlives this.
class Standstill {
public:
    explicit Standstill(records::Store& store) {
        EXPECT_TRUE(store.post(
            [gate = gate_](records::Transaction&) -> Result<void> {
                gate->entered.set_value();
                gate->is_over.wait();
                return {};
            },
            nullptr));
        gate_->entered.get_future().wait();
    }
    void end() { gate_->over.set_value(); }

private:
    struct Gate {
        std::promise<void> entered, over;
        std::future<void> is_over = over.get_future();
    };
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

class EgressServerTest : public testing::Test {
protected:
    // Says something, and is gone before the store has answered.
    template <class Request>
    void say_and_go(std::unique_ptr<Caller> caller, const Request& request, const Caller& other) {
        Standstill store{*clinic.store};
        caller->say(envelope::encode(envelope::Request{request}));
        other.ask<envelope::Device>(envelope::DeviceRequest{}); // by now it has been read
        caller.reset();
        other.ask<envelope::Device>(envelope::DeviceRequest{}); // and its end been seen
        store.end();
    }
    std::vector<std::string> ledger() {
        std::vector<std::string> all;
        EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
            const auto lines = outbox::Ledger::lines(session, 0, 10);
            CLINIC_TRY(lines);
            for (const auto& line : *lines) all.push_back(line.result);
            return {};
        }));
        return all;
    }

    void SetUp() override {
        health.attach(*clinic.store);
        release::Policy policy;
        policy.basis = release::Basis::baa;
        policy.unlinked = release::Unlinked::shell;
        clinic.write([&](records::Transaction& txn) { return clinic.releaser.set_policy(txn, policy); });
        make({});
    }
    void TearDown() override {
        clinic.store->on_change({});
        server.reset();
        health.detach();
    }
    // Hands out a create for somebody to whom a merge brings a contact, and asks to go on with it.
    envelope::Lease held_lease(const Caller& caller) {
        const auto prior = clinic.add("N1", "Quilfeather");
        const auto first = caller.lease();
        const auto made = caller.ask<envelope::Verdict>(create(first));
        caller.ask<envelope::Settled>(envelope::Settle{
            .lease = first.lease,
            .contact = "contact1",
            .steps = {{.attempt = made.attempt, .result = envelope::StepOutcome::Result::answered, .status = 201}}});
        const auto survivor = clinic.add("N2", "Quillfeather");
        auto lease = caller.lease();
        EXPECT_TRUE(lease.create);
        clinic.merge(survivor, prior);
        const auto verdict = caller.ask<envelope::Verdict>(create(lease));
        EXPECT_EQ(verdict.answer, Answer::hold);
        EXPECT_EQ(verdict.code, "linked");
        return lease;
    }
    void make(ServerOptions options) {
        clinic.store->on_change({});
        server.reset();
        std::filesystem::remove(path);
        server = std::make_unique<EgressServer>(listen_on(path), options, gate, *clinic.store, clinic.releaser, health,
                                                clinic.clock);
        ASSERT_TRUE(server->start());
        clinic.store->on_change([this] { server->wake(); });
    }
    static envelope::Attempt create(const envelope::Lease& lease) {
        const std::string pid{lease.envelope->text(Field::pid)};
        return {.lease = lease.lease,
                .route = envelope::Route::contact_create,
                .path = "/contacts/",
                .body = R"({"locationId":"LOC1","firstName":")" + pid +
                        R"(","source":"clinic-edge","dnd":true,"tags":["ce-new-patient"],)" +
                        R"("customFields":[{"id":"fieldpid","field_value":")" + pid +
                        R"("},{"id":"fieldstage","field_value":"new"}]})"};
    }

    fakes::TempFolder folder;
    std::filesystem::path path = folder / "egress.sock";
    release::testing::Clinic clinic;
    health::Health health{{.box = "box-1", .version = "0.1.0", .records = folder.path()}, clinic.clock};
    Gate gate{
        {.rules = rules, .index_lag = std::chrono::milliseconds{1'000}}, clinic.store->identifiers(), clinic.releaser};
    std::unique_ptr<EgressServer> server;
};

} // namespace clinic::egress
