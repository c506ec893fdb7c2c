// A channel to an emulated GHL, for what a patient has there beside the contact; and a gate that lets pass what the
// write rules do.
#pragma once

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sync/channel/ghl/ghl_channel.h"
#include "tests/emulator/emulator_fixture.h"

namespace clinic::ghl {

using Routes = std::vector<Route>;

class OpenGate final : public lane::Gate {
public:
    explicit OpenGate(const WriteRules& rules) : rules_{rules} {}
    Result<envelope::Verdict> ask(const envelope::Attempt& attempt) override {
        CLINIC_TRY(envelope::check_request(rules_, attempt.route, attempt.path, attempt.body));
        routes.push_back(attempt.route);
        return envelope::Verdict{++attempts_, answer, ""};
    }
    Routes routes;
    envelope::Answer answer = envelope::Answer::go;

private:
    const WriteRules& rules_;
    std::int64_t attempts_ = 0;
};

class BesideAContactInGhl : public emulator::GhlEmulator {
protected:
    void SetUp() override {
        client->post("/_faults", R"({"knob":"rate_per_10s","value":100000})");
        rules_.location = emulator::location;
        rules_.fields = {emulator::field_ce_pid,  emulator::field_ce_stage,       emulator::field_ce_last,
                         emulator::field_ce_next, emulator::field_ce_appt_status, emulator::field_ce_appt_when};
        std::ofstream{folder / "token"} << emulator::token;
        speak(Module::opportunities, "2021-07-28");
        contact_ = create();
    }
    void speak(Module module, const char* version) {
        ClientOptions how;
        how.host = "127.0.0.1";
        how.port = static_cast<std::uint16_t>(emulator->port());
        how.ca = emulator::certificate().authority;
        how.token_file = folder / "token";
        how.call_max = std::chrono::milliseconds{400};
        ASSERT_TRUE(how.dialects.speak(module, version));
        channel_.reset();
        ghl_ = std::move(*GhlClient::make(how, clock));
        lane::RateLimits limits;
        limits.per_second = limits.per_second_max = limits.burst = 10'000;
        budget_.emplace(clock, limits);
        channel_.emplace(*ghl_, rules_, *budget_);
    }

    static envelope::MetadataEnvelope begun(envelope::Kind kind, const envelope::Pseudonym& pid) {
        envelope::MetadataEnvelope out{kind};
        out.put(envelope::Field::mid, envelope::Pseudonym::random('m')).put_site("s_0123456789").put_sequence(3);
        out.put(envelope::Field::pid, pid);
        return out;
    }
    static envelope::Lease unsure(envelope::Lease lease, int unsure_ms) {
        lease.look_up_first = true;
        lease.unsure_ms = unsure_ms;
        return lease;
    }
    lane::Delivery deliver(const envelope::Lease& lease) {
        gate_.routes.clear();
        auto out = channel_->deliver(lease, gate_, {});
        if (!out.settle.object.empty()) object_ = out.settle.object;
        return out;
    }
    void fault(const char* name) { client->post("/_faults", emulator::Json{{"fault", name}}.dump()); }

    WriteRules rules_;
    OpenGate gate_{rules_};
    std::unique_ptr<GhlClient> ghl_;
    std::optional<lane::RateBudget> budget_;
    std::optional<GhlChannel> channel_;
    std::string contact_, object_;
};

} // namespace clinic::ghl
