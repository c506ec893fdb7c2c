// The emulated service without its network: token, version, limits, faults, routes, and the record of what came.
//   Threads: any; one lock, so that effects and lines have one order.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "tests/emulator/exchange.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/lines.h"
#include "tests/emulator/oauth.h"
#include "tests/emulator/webhooks.h"
#include "tests/emulator/world.h"

namespace clinic::emulator {

struct Route;

struct ServiceOptions {
    std::string location = "CEdemoLocation000001";
    std::string token; // the whole private integration token
    std::vector<CustomField> fields = default_fields();
    std::filesystem::path requests;                 // JSON lines; empty: none
    std::filesystem::path answers;                  // the same for answers, to validate them
    std::filesystem::path state;                    // to go on after a restart; empty: none
    std::function<void(const Request&)> heard = {}; // each call before it is answered; on the thread that got it
};

class Service {
public:
    static Result<std::unique_ptr<Service>> open(const ServiceOptions& options, const Clock& clock);
    Answer answer(const Request& request);
    // What a person does in GHL: no limit counts it, no fault takes it, nothing of it is recorded.
    Answer by_hand(const std::string& method, const std::string& target, const Json& body);

private:
    Service(World world, const ServiceOptions& options, Lines requests, Lines answers);
    Answer decide(const Request& request);
    Answer faulty(Fault fault, const Request& request, const Route* route);
    Answer handle(const Request& request, const Route* route);
    Request by_hand_request(const std::string& method, const std::string& target, const Json& body) const;
    Answer control(const Request& request);
    Answer control_faults(const Json& body);
    Answer control_seed(const Json& body);
    Answer control_oauth(const Json& body);
    Answer control_fields(const Json& body);
    Answer control_webhooks(const Json& body);
    Answer control_by_hand(const Json& body);
    Answer duplicate_400(const Request& request, const Route* route);
    Answer dated_429();
    void tell(const std::string& type, Json fields); // by webhook, where they go anywhere
    Answer dropped(const Request& request, const Route* route);
    std::optional<Answer> unauthorised(const Request& request) const;
    Answer control_state() const;
    void record(const Request& request, const Answer& answer);

    std::mutex lock_;
    World world_;
    std::string token_;
    std::function<void(const Request&)> heard_;
    Grants grants_;
    Lines requests_, answers_;
    Faults faults_;
    Throttle throttle_;
    int slow_ms_ = 3'000, retry_after_s_ = 30;
    bool gzip_ = false;
    std::string person_; // who is named in errors
    unsigned server_errors_ = 0, throttled_ = 0, people_in_errors_ = 0,
             contended_ = 0; // which of its forms a fault takes next
    std::string webhooks_app_;
    const WebhookKey webhook_key_;
    std::unique_ptr<Webhooks> webhooks_; // last: its threads end first
};

} // namespace clinic::emulator
