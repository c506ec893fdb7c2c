#include "sync/relay/reception.h"

#include <algorithm>

#include "crypto/base/files.h"
#include "crypto/seal.h"
#include "sync/envelope/down_message.h"
#include "sync/relay/webhook.h"

namespace clinic::relay {
namespace {

WebhookId id_of(const Webhook& webhook, std::string_view body) {
    const auto digest = crypto::digest(base::as_bytes(webhook.id().empty() ? body : std::string_view{webhook.id()}));
    WebhookId out{};
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

} // namespace

int status_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::published:
    case Verdict::again:
    case Verdict::not_told:
    case Verdict::incomplete: return 200;
    case Verdict::unreadable: return 400;
    case Verdict::unsigned_: return 401;
    case Verdict::not_ours:
    case Verdict::stale: return 403;
    case Verdict::under_way:
    case Verdict::held_up: break;
    }
    return 429;
}

Reception::Reception(ReceptionOptions options, Signature signature, Publisher& publisher, const Clock& clock)
    : options_{std::move(options)}, signature_{std::move(signature)}, publisher_{publisher}, clock_{clock},
      replays_{options_.replay_entries_max, options_.window + options_.ahead_max} {}

Verdict Reception::take(const listener::Head& head, std::string_view body) {
    const Verdict verdict = decide(head, body);
    ++counts_.at(static_cast<std::size_t>(verdict));
    return verdict;
}

std::array<std::int64_t, verdict_count> Reception::counts() const {
    std::array<std::int64_t, verdict_count> out{};
    std::copy(counts_.begin(), counts_.end(), out.begin());
    return out;
}

// Nothing of the body is looked at before its signature holds.
Verdict Reception::decide(const listener::Head& head, std::string_view body) {
    if (!signature_.holds(head, body)) return Verdict::unsigned_;
    const auto webhook = Webhook::read(body);
    if (!webhook) return Verdict::unreadable;
    const auto box = options_.boxes.find(webhook->location());
    if (webhook->app() != options_.app || box == options_.boxes.end()) return Verdict::not_ours;
    if (!is_in_time(webhook->sent_ms())) return Verdict::stale;
    auto fact = webhook->fact(box->second.rules);
    if (!fact) return Verdict::incomplete;
    if (!*fact) return Verdict::not_told;
    const auto id = id_of(*webhook, body);
    const std::string message = envelope::encode({crypto::hex(std::span{id}), std::move(**fact)});
    // the box's own check, before anything leaves
    if (!envelope::decode_down(message)) return Verdict::incomplete;
    return hand_on(id, box->second.name, message);
}

bool Reception::is_in_time(std::int64_t sent_ms) const {
    const base::Micros age = clock_.now() - Timestamp{sent_ms * 1'000};
    return sent_ms > 0 && age <= options_.window && -age <= options_.ahead_max;
}

Verdict Reception::hand_on(const WebhookId& id, const std::string& box, const std::string& message) {
    switch (replays_.enter(id, clock_.monotonic())) {
    case ReplayTable::Entry::taken: return Verdict::again;
    case ReplayTable::Entry::under_way: return Verdict::under_way;
    case ReplayTable::Entry::fresh: break;
    }
    const auto published = publisher_.publish(envelope::down_topic(box), message);
    if (!published) {
        replays_.forget(id); // HighLevel sends it again; if it has arrived after all, the box drops the second
        return Verdict::held_up;
    }
    replays_.take(id);
    return Verdict::published;
}

} // namespace clinic::relay
