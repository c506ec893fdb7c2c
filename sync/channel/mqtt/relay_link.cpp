#include "sync/channel/mqtt/relay_link.h"

#include <optional>
#include <utility>

#include "crypto/base/log.h"
#include "sync/envelope/crm_strip.h"
#include "sync/envelope/down_message.h"
#include "sync/lane/wait.h"

namespace clinic::mqtt {
namespace {

using envelope::CrmFact;
using envelope::CrmKind;
using Heard = lane::Board::Heard;

// clinicd is there and cannot take it now; any other refusal would be the same the next time.
bool passes_by_itself(const envelope::Refused& refused) {
    return refused.code == "busy" || refused.code == "closed";
}

} // namespace

std::string relay_client(std::string_view box) {
    return std::string{box} + ".relay";
}

bool is_reason_to_look(const CrmFact& fact) {
    if (fact.deleted() || fact.kind == CrmKind::location) return false; // in whatever order they come
    return fact.kind == CrmKind::contact || fact.updated_ms == 0;
}

RelayLink::RelayLink(RelayLinkOptions options, const envelope::WriteRules& rules, lane::Board& board,
                     const Clock& clock)
    : options_{std::move(options)}, rules_{rules}, board_{board}, clock_{clock}, client_{options_.egress} {
    options_.broker.client = relay_client(options_.box);
    board_.relay(false);
}

void RelayLink::run(std::stop_token stop) {
    lane::Backoff backoff{options_.reconnect};
    std::optional<Errc> logged;
    while (!stop.stop_requested()) {
        options_.pulse.beat();
        taken_ = false;
        const auto ended = serve(stop);
        board_.relay(false);
        client_.close();
        if (stop.stop_requested()) return;
        if (logged != ended.error().code) base::log(base::Level::warning, "relay_link", ended.error());
        logged = ended.error().code;
        if (taken_) backoff.reset(), logged.reset();
        options_.pulse.beat();
        lane::sleep_for(stop, backoff.next()); // a broker that comes back is not met by all boxes at once
    }
}

// Not before clinicd is there: the broker would tell what nobody can take.
Result<void> RelayLink::serve(const std::stop_token& stop) {
    CLINIC_TRY(client_.connect());
    auto broker = Broker::subscribe(options_.broker,
                                    {.topic = envelope::down_topic(options_.box),
                                     .take = [this, &stop](std::string_view bytes) { return take(bytes, stop); }},
                                    stop);
    if (!broker) return broker.error();
    board_.relay(true);
    base::log(base::Level::notice, "relay_link", "hears what the relay tells");
    while (!stop.stop_requested() && !(*broker)->lost()) {
        options_.pulse.beat();
        (*broker)->wait_lost(options_.look_period, stop);
    }
    return stop.stop_requested() ? Result<void>{} : (*broker)->why_lost();
}

bool RelayLink::take(std::string_view bytes, const std::stop_token& stop) {
    const auto message = envelope::decode_down(bytes);
    if (!message || !envelope::is_configured(message->fact, rules_)) return heard(Heard::bad);
    if (!is_reason_to_look(message->fact)) return hand_on(message->fact, stop);
    options_.look(message->fact.kind);
    return heard(Heard::looked);
}

bool RelayLink::hand_on(const CrmFact& fact, const std::stop_token& stop) {
    const auto reply = ask(fact, stop);
    if (!reply) return false;
    if (const auto* refused = std::get_if<envelope::Refused>(&*reply))
        return !passes_by_itself(*refused) && heard(Heard::refused);
    const auto* taken = std::get_if<envelope::FactTaken>(&*reply);
    if (taken == nullptr) return client_.close(), false;
    return heard(taken->taken == envelope::Taken::refused ? Heard::refused : Heard::told);
}

// A clinicd that was started again meanwhile is asked once more: a fact counts once.
Result<envelope::Reply> RelayLink::ask(const CrmFact& fact, const std::stop_token& stop) {
    if (client_.connected()) {
        auto reply = client_.ask(fact, options_.reply_max, stop);
        if (reply || reply.error().code != Errc::offline) return reply;
    }
    CLINIC_TRY(client_.connect());
    return client_.ask(fact, options_.reply_max, stop);
}

bool RelayLink::heard(Heard what) {
    taken_ = true;
    board_.heard(what, clock_.now());
    return true;
}

} // namespace clinic::mqtt
