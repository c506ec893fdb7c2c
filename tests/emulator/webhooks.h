// Webhooks as the live service sends them: signed over the raw body, full of what people entered, doubled now and then,
// and tried again by its own rules: after 429 and after nothing else, a bounded number of times.
//   Threads: `deliver` starts its own and returns when the last webhook was taken or given up; those of `Webhooks` end
//            with it, after the answer that they wait for.
//   Source:  facts/ghl-api §4.2-4.4; docs/emulator.md, "Webhooks".
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/emulator/exchange.h"

namespace clinic::emulator {

// The platform's key. One signs for all customers.
class WebhookKey {
public:
    WebhookKey(); // a new one
    ~WebhookKey();
    WebhookKey(const WebhookKey&) = delete;
    WebhookKey& operator=(const WebhookKey&) = delete;
    std::string public_key() const;                  // SubjectPublicKeyInfo in base64
    std::string sign(const std::string& body) const; // base64

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

// What every live delivery has around the event's own fields. `sent_ms`: its signed time.
Json webhook(const std::string& type, const std::string& app, const std::string& location, const std::string& id,
             std::int64_t sent_ms);
// A contact with all that a person may have entered, in the fields of its events.
Json contact_event(Json heading, const std::string& contact, const std::vector<std::string>& people);

struct DeliveryOptions {
    std::vector<int> ports; // the doors behind the address that the app was given
    std::filesystem::path authority;
    std::string path = "/ghl/webhooks";
    double per_second = 500;
    int senders = 24;
    // Who spreads the load tries the next door where one is closed or cuts off; without it such a webhook is lost.
    bool next_door = true;
    int tries_again_max = 6;
    std::chrono::milliseconds again_after{600'000}, jitter{60'000};
    std::chrono::milliseconds patience{5'000}; // for one answer
    bool twice = false;                        // each is sent a second time, by `Webhooks` alone
};

struct Delivered {
    std::size_t taken = 0;     // 200
    std::size_t given_up = 0;  // 429 to the last
    std::size_t lost = 0;      // any other answer, or none: never sent again
    std::size_t again = 0;     // sent again after 429
    std::size_t next_door = 0; // tried at another door
    std::map<int, std::size_t> answers;
    std::vector<double> answer_ms; // of those taken, as they came
    double seconds = 0;
};

// The n-th body, for each of `count`.
Delivered deliver(const DeliveryOptions& options, const WebhookKey& key, std::size_t count,
                  const std::function<std::string(std::size_t)>& body);

// One after another, as they come.
class Webhooks {
public:
    Webhooks(DeliveryOptions options, const WebhookKey& key);
    ~Webhooks(); // what was not taken yet is lost
    Webhooks(const Webhooks&) = delete;
    Webhooks& operator=(const Webhooks&) = delete;
    void send(std::string body); // the same bytes each time

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

} // namespace clinic::emulator
