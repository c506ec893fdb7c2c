#include "tests/emulator/webhooks.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <queue>
#include <random>
#include <thread>

#include "crypto/base/owned.h"
#include "tests/emulator/https_client.h"
#include "tests/emulator/world.h"

namespace clinic::emulator {
namespace {

using Key = std::unique_ptr<EVP_PKEY, base::FreedBy<EVP_PKEY_free>>;
using Signing = std::unique_ptr<EVP_MD_CTX, base::FreedBy<EVP_MD_CTX_free>>;
using Time = std::chrono::steady_clock::time_point;
using std::chrono::steady_clock;

std::string base64(const unsigned char* bytes, std::size_t size) {
    std::string out((size + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
    return out;
}

struct Due {
    Time at;
    std::function<std::string()> body;
    int tries = 0;                                                            // so far
    friend bool operator<(const Due& a, const Due& b) { return a.at > b.at; } // the earliest on top
};

// What is to be sent, by time, and what became of it.
class Desk {
public:
    explicit Desk(const DeliveryOptions& options) : options_{options} {}

    void add(Due one) {
        const std::lock_guard lock{mutex_};
        ++left_;
        due_.push(std::move(one));
        changed_.notify_all();
    }
    Time start() const { return start_; }
    // No more come. `lose`: those that are left are lost.
    void close(bool lose) {
        const std::lock_guard lock{mutex_};
        closed_ = true;
        lost_ = lose;
        changed_.notify_all();
    }

    bool next(Due& out) { // false: all are done
        std::unique_lock lock{mutex_};
        while (!lost_ && (left_ > 0 || !closed_)) {
            if (due_.empty()) {
                changed_.wait(lock);
                continue;
            }
            const Time at = due_.top().at;
            if (at > steady_clock::now()) {
                changed_.wait_until(lock, at);
                continue;
            }
            out = due_.top();
            due_.pop();
            return true;
        }
        return false;
    }

    void answered(Due one, const Reply& reply, double ms, int doors) {
        const std::lock_guard lock{mutex_};
        ++out_.answers[reply.answered ? reply.status : 0];
        out_.next_door += static_cast<std::size_t>(doors - 1);
        if (reply.answered && reply.status == 429 && one.tries < options_.tries_again_max) {
            ++out_.again;
            ++one.tries;
            std::uniform_int_distribution<std::int64_t> spread{0, options_.jitter.count()};
            one.at = steady_clock::now() + options_.again_after + std::chrono::milliseconds{spread(random_)};
            due_.push(std::move(one));
        } else {
            --left_;
            const bool taken = reply.answered && reply.status == 200;
            ++(taken ? out_.taken : reply.status == 429 ? out_.given_up : out_.lost);
            if (taken) out_.answer_ms.push_back(ms);
        }
        changed_.notify_all();
    }

    Delivered result() {
        out_.seconds = std::chrono::duration<double>{steady_clock::now() - start_}.count();
        return std::move(out_);
    }

private:
    const DeliveryOptions& options_;
    const Time start_ = steady_clock::now();
    std::mutex mutex_;
    std::condition_variable changed_;
    std::priority_queue<Due> due_;
    std::size_t left_ = 0;
    bool closed_ = false, lost_ = false;
    std::mt19937 random_{20261127};
    Delivered out_;
};

void send_all(Desk& desk, const DeliveryOptions& options, const WebhookKey& key, std::size_t door) {
    std::vector<std::unique_ptr<HttpsClient>> doors;
    for (const int port : options.ports)
        doors.push_back(std::make_unique<HttpsClient>(port, options.authority, options.patience));
    for (Due one; desk.next(one);) {
        const std::string bytes = one.body();
        const Headers headers{{"Content-Type", "application/json"}, {"X-GHL-Signature", key.sign(bytes)}};
        const auto from = steady_clock::now();
        Reply reply;
        int tried = 0;
        const int tries = options.next_door ? 2 * static_cast<int>(doors.size()) : 1;
        while (tried < tries && !reply.answered) {
            door = (door + 1) % doors.size();
            reply = doors[door]->send("POST", options.path, headers, bytes);
            ++tried;
        }
        desk.answered(one, reply, std::chrono::duration<double, std::milli>{steady_clock::now() - from}.count(), tried);
    }
}

} // namespace

struct WebhookKey::Inside {
    Key key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
};

WebhookKey::WebhookKey() : inside_{std::make_unique<Inside>()} {
    assert(inside_->key);
}
WebhookKey::~WebhookKey() = default;

std::string WebhookKey::public_key() const {
    unsigned char* der = nullptr;
    const int size = i2d_PUBKEY(inside_->key.get(), &der);
    assert(size > 0);
    std::string out = base64(der, static_cast<std::size_t>(size));
    OPENSSL_free(der);
    return out;
}

std::string WebhookKey::sign(const std::string& body) const {
    const Signing signing{EVP_MD_CTX_new()};
    unsigned char signature[64];
    std::size_t size = sizeof signature;
    [[maybe_unused]] const bool signed_it =
        EVP_DigestSignInit(signing.get(), nullptr, nullptr, nullptr, inside_->key.get()) == 1 &&
        EVP_DigestSign(signing.get(), signature, &size, reinterpret_cast<const unsigned char*>(body.data()),
                       body.size()) == 1;
    assert(signed_it && size == sizeof signature);
    return base64(signature, size);
}

Json webhook(const std::string& type, const std::string& app, const std::string& location, const std::string& id,
             std::int64_t sent_ms) {
    return {{"type", type},
            {"appId", app},
            {"versionId", app},
            {"locationId", location},
            {"companyId", "CEcompany00000000001"},
            {"webhookId", id},
            {"timestamp", iso_time(sent_ms)}};
}

Json contact_event(Json heading, const std::string& contact, const std::vector<std::string>& people) {
    const auto person = [&](std::size_t i) {
        return people.empty() ? std::string{"Somebody"} : people[i % people.size()];
    };
    heading.update({{"id", contact},
                    {"firstName", person(0)},
                    {"lastName", person(1)},
                    {"name", person(0) + " " + person(1)},
                    {"email", person(2)},
                    {"phone", person(3)},
                    {"address1", person(4)},
                    {"city", person(5)},
                    {"companyName", person(6)},
                    {"dateOfBirth", person(7)},
                    {"source", person(8)},
                    {"website", "https://" + person(2)},
                    {"assignedTo", person(9)},
                    {"dnd", false},
                    {"attachments", {person(1)}},
                    {"tags", {"ce-recall-due", "ce-" + person(0), person(1)}},
                    {"customFields",
                     {{{"id", field_ce_stage}, {"value", "active"}},
                      {{"id", field_ce_last}, {"value", person(0)}},
                      {{"id", "CEfieldOfTheClinic01"}, {"value", person(1)}}}}});
    return heading;
}

Delivered deliver(const DeliveryOptions& options, const WebhookKey& key, std::size_t count,
                  const std::function<std::string(std::size_t)>& body) {
    Desk desk{options};
    const auto step = std::chrono::duration<double>{1.0 / options.per_second};
    for (std::size_t i = 0; i < count; ++i)
        desk.add({desk.start() + std::chrono::duration_cast<steady_clock::duration>(step * static_cast<double>(i)),
                  [&body, i] { return body(i); }});
    desk.close(false);
    {
        std::vector<std::jthread> senders;
        for (int i = 0; i < options.senders; ++i)
            senders.emplace_back([&, i] { send_all(desk, options, key, static_cast<std::size_t>(i)); });
    }
    return desk.result();
}

struct Webhooks::Inside {
    DeliveryOptions options;
    const WebhookKey& key;
    Desk desk{options};
    std::vector<std::jthread> senders; // last: they end first
};

Webhooks::Webhooks(DeliveryOptions options, const WebhookKey& key)
    : inside_{new Inside{.options = std::move(options), .key = key, .senders = {}}} {
    for (int i = 0; i < inside_->options.senders; ++i)
        inside_->senders.emplace_back([inside = inside_.get(), i] {
            send_all(inside->desk, inside->options, inside->key, static_cast<std::size_t>(i));
        });
}

Webhooks::~Webhooks() {
    inside_->desk.close(true);
}

void Webhooks::send(std::string body) {
    for (int i = inside_->options.twice ? 2 : 1; i > 0; --i)
        inside_->desk.add({steady_clock::now(), [body] { return body; }});
}

} // namespace clinic::emulator
