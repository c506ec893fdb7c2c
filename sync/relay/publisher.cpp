#include "sync/relay/publisher.h"

#include <span>

#include "crypto/base/ids.h"
#include "crypto/base/log.h"

namespace clinic::relay {
namespace {

constexpr std::chrono::milliseconds look{250}; // between two looks at the connection while nothing comes
constexpr std::size_t batch_max = 128;

constexpr Error no_broker{Errc::offline, "the broker is not to be reached",
                          "see that it runs, and mqtt.host, mqtt.port, mqtt.ca"};

std::string state_topic(const std::string& name) {
    return "ops/" + name + "/state";
}

std::string state_payload(const std::string& name, bool online, const char* reason) {
    return R"({"v":1,"relay":")" + name + R"(","online":)" + (online ? "true" : "false") + R"(,"reason":")" + reason +
           "\"}";
}

std::uint64_t random_number() {
    std::uint64_t value = 0;
    base::random_bytes(std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

// Of one message; the connection is as good as before.
bool is_about_the_message(const Error& error) {
    return error.code == Errc::unauthorized || error.code == Errc::throttled;
}

} // namespace

struct Publisher::Parcel {
    mqtt::Broker::Message message;
    std::promise<Result<void>> outcome;
    std::atomic<bool> abandoned{false}; // nobody waits for it any more
};

Publisher::Publisher(PublisherOptions options, base::Pulse pulse)
    : options_{std::move(options)}, pulse_{std::move(pulse)} {}

Result<void> Publisher::publish(std::string topic, std::string payload) {
    const auto parcel = std::make_shared<Parcel>();
    parcel->message = {
        .topic = std::move(topic), .payload = std::move(payload), .retained = false, .expires = options_.expires};
    auto outcome = parcel->outcome.get_future();
    {
        const std::lock_guard lock{mutex_};
        if (!up_) return no_broker;
        if (waiting_ >= options_.waiting_max) return Error{Errc::full, "too many wait for the broker already"};
        ++waiting_;
        queue_.push_back(parcel);
    }
    ready_.notify_one();
    const bool answered = outcome.wait_for(options_.answer_max) == std::future_status::ready;
    parcel->abandoned = true;
    {
        const std::lock_guard lock{mutex_};
        --waiting_;
    }
    return answered ? outcome.get() : Error{Errc::timeout, "the broker does not answer in time"};
}

void Publisher::run(std::stop_token stop) {
    const mqtt::Will will{state_topic(options_.name), state_payload(options_.name, false, "lwt")};
    while (!stop.stop_requested()) {
        pulse_.beat();
        Error ended = no_broker;
        if (auto broker = mqtt::Broker::connect(options_.broker, will, stop)) {
            ended = serve(**broker, stop);
            up_ = false;
            turn_away(ended);
            if (stop.stop_requested())
                (*broker)->leave({state_topic(options_.name), state_payload(options_.name, false, "shutdown"), true});
        } else {
            ended = broker.error();
        }
        if (stop.stop_requested()) return;
        base::log(base::Level::warning, "relay", ended);
        pause(stop);
    }
}

Error Publisher::serve(mqtt::Broker& broker, const std::stop_token& stop) {
    const mqtt::Broker::Message online{state_topic(options_.name), state_payload(options_.name, true, "connected"),
                                       true};
    if (const auto said = broker.publish(online, stop); !said) return said.error();
    up_ = true;
    base::log(base::Level::notice, "relay", "connected to the broker");
    while (!stop.stop_requested()) {
        pulse_.beat();
        if (broker.lost()) return broker.why_lost();
        const Batch batch = next_batch(stop);
        if (batch.empty()) continue;
        if (const auto sent = send(broker, batch, stop); !sent) return sent.error();
    }
    return no_broker;
}

Publisher::Batch Publisher::next_batch(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    ready_.wait_for(lock, stop, look, [this] { return !queue_.empty(); });
    Batch batch;
    while (!queue_.empty() && batch.size() < batch_max) {
        if (!queue_.front()->abandoned) batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    return batch;
}

// Those behind one that the broker refuses are sent again: what arrives twice, the box drops.
Result<void> Publisher::send(mqtt::Broker& broker, const Batch& batch, const std::stop_token& stop) {
    for (std::size_t done = 0; done < batch.size();) {
        std::vector<mqtt::Broker::Message> messages;
        for (std::size_t i = done; i < batch.size(); ++i) messages.push_back(batch[i]->message);
        const auto published = broker.publish_all(messages, stop);
        for (std::size_t i = 0; i < published.first; ++i) batch[done++]->outcome.set_value({});
        if (published.ended) continue;
        const Error& why = published.ended.error();
        const bool goes_on = is_about_the_message(why) && !broker.lost();
        do {
            batch[done++]->outcome.set_value(why);
        } while (!goes_on && done < batch.size());
        if (!goes_on) return why;
    }
    return {};
}

void Publisher::turn_away(const Error& why) {
    const std::lock_guard lock{mutex_};
    for (const auto& parcel : queue_) parcel->outcome.set_value(why);
    queue_.clear();
}

void Publisher::pause(const std::stop_token& stop) {
    const auto span = static_cast<std::uint64_t>((options_.reconnect_max - options_.reconnect_min).count()) + 1;
    const std::chrono::milliseconds wait{options_.reconnect_min.count() +
                                         static_cast<std::int64_t>(random_number() % span)};
    std::unique_lock lock{mutex_};
    ready_.wait_for(lock, stop, wait, [] { return false; });
}

} // namespace clinic::relay
