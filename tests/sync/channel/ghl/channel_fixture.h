// A channel to a server whose answers the test says, and clinicd's verdicts.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sync/channel/ghl/ghl_channel.h"
#include "tests/fakes/manual_clock.h"
#include "tests/sync/channel/ghl/https_fixture.h"

namespace clinic::ghl {

using envelope::Outcome;
using support::answer;
using support::Received;
using support::Sent;

// clinicd's verdicts: go, unless the test says otherwise.
class FakeGate final : public lane::Gate {
public:
    Result<envelope::Verdict> ask(const envelope::Attempt& attempt) override {
        CLINIC_TRY(envelope::check_request(rules(), attempt.route, attempt.path, attempt.body));
        if (failure) return Error{*failure, "no verdict"};
        asked.push_back(attempt);
        return envelope::Verdict{static_cast<std::int64_t>(asked.size()), answer, code};
    }
    std::vector<envelope::Attempt> asked;
    envelope::Answer answer = envelope::Answer::go;
    std::string code;
    std::optional<Errc> failure;
};

struct GhlChannels : HttpsFixture {
    // Answers in this order; after them, 200 with an empty object.
    void script(std::deque<Sent> answers) {
        serve([rest = std::move(answers)](const Received&) mutable {
            if (rest.empty()) return answer(200, "{}");
            auto next = rest.front();
            rest.pop_front();
            return next;
        });
        ghl = client();
    }
    lane::Delivery deliver(const envelope::Lease& lease) {
        return GhlChannel{*ghl, rules(), budget}.deliver(lease, gate, stop.get_token());
    }
    std::string pid(const envelope::Lease& lease) { return std::string{lease.envelope->text(envelope::Field::pid)}; }
    static std::string found(const std::string& id, const std::string& marker) {
        return R"({"contacts":[{"id":")" + id + R"(","customFields":[{"id":"fPid","value":")" + marker + R"("}]}]})";
    }
    std::vector<std::string> paths() const {
        std::vector<std::string> out;
        for (const auto& one : server->received()) out.push_back(one.method + " " + one.path);
        return out;
    }

    std::unique_ptr<GhlClient> ghl;
    fakes::ManualClock time;
    lane::RateBudget budget{time};
    FakeGate gate;
    std::stop_source stop;
};

using Paths = std::vector<std::string>;

} // namespace clinic::ghl
