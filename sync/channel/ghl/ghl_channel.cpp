#include "sync/channel/ghl/ghl_channel.h"

#include <algorithm>

#include "sync/channel/ghl/conversation.h"
#include "sync/channel/ghl/plan.h"

namespace clinic::ghl {
namespace {

using envelope::Kind;
using envelope::Lease;
using lane::Delivery;

constexpr base::Micros look_floor = std::chrono::milliseconds{500};

lane::Priority priority_of(const Lease& lease) {
    switch (lease.envelope->kind()) {
    case Kind::consent_state:
    case Kind::contact_suppress: return lane::Priority::urgent;
    case Kind::appt_state:
    case Kind::contact_state:
    case Kind::contact_merge: break;
    }
    return lane::Priority::ordinary;
}

// One lease, from where it stands to its settlement.
class DeliveryRun {
public:
    DeliveryRun(Conversation& talk, const WriteRules& rules, const Lease& lease)
        : talk_{talk}, rules_{rules}, lease_{lease} {}

    Delivery run() {
        if (lease_.envelope->kind() == Kind::contact_merge) return update("");
        if (!lease_.contact.empty()) return update(lease_.contact);
        return find_or_create();
    }

private:
    // `contact`: empty with a merge, whose calls name both.
    Delivery update(const std::string& contact) {
        // Between two refusals of the same body stands a look-up; what it finds changes nothing here.
        if (lease_.look_up_first && !talk_.ask(search_marker(rules_, pid()))) return talk_.delivery();
        return write(contact);
    }

    Delivery find_or_create() {
        if (lease_.look_up_first) {
            const auto found = talk_.ask(search_marker(rules_, pid()));
            if (!found) return talk_.delivery();
            if (!found->answer.marked.empty()) return adopt(found->answer.marked.front());
            // Not there yet is not "not there": it is looked for again, and nothing is made meanwhile.
            if (lease_.unsure_ms > 0) return talk_.retry("look_up_wait", next_look());
        }
        // With this code clinicd knows that no create of unknown outcome has happened, and parks the row.
        return lease_.create && may_create(lease_.envelope->kind()) ? create()
                                                                    : talk_.retry("no_contact", talk_.backoff());
    }

    Delivery create() {
        const auto made = talk_.ask(shell(rules_, lease_));
        if (!made) return talk_.delivery();
        if (!made->answer.contact.empty()) {
            talk_.contact(made->answer.contact);
            return talk_.delivered();
        }
        if (!made->answer.duplicate_of.empty()) return duplicate(made->answer.duplicate_of);
        return talk_.retry("no_id", talk_.backoff());
    }

    // GHL names a contact that is there. It is ours only if it carries our marker: a stranger's is never touched.
    Delivery duplicate(const std::string& claimed) {
        const auto found = talk_.ask(search_marker(rules_, pid()));
        if (!found) return talk_.delivery();
        const auto& ours = found->answer.marked;
        if (std::find(ours.begin(), ours.end(), claimed) == ours.end()) return talk_.against("duplicate");
        return adopt(claimed);
    }

    // It is told first and written to under the next lease: clinicd lets no request pass that names a contact which
    // it has not recorded for that very lease.
    Delivery adopt(const std::string& contact) {
        talk_.contact(contact);
        return talk_.retry("adopted", {});
    }

    Delivery write(const std::string& contact) {
        for (const auto& call : writes(rules_, lease_, contact))
            if (!talk_.ask(call)) return talk_.delivery();
        return talk_.delivered();
    }

    base::Micros next_look() const {
        return std::min(std::max(talk_.backoff(), look_floor),
                        base::Micros{std::chrono::milliseconds{lease_.unsure_ms}});
    }

    std::string_view pid() const { return lease_.envelope->text(envelope::Field::pid); }

    Conversation& talk_;
    const WriteRules& rules_;
    const Lease& lease_;
};

} // namespace

GhlChannel::GhlChannel(GhlClient& client, const WriteRules& rules, lane::RateBudget& budget, ChannelTimes times)
    : client_{client}, rules_{rules}, budget_{budget}, times_{times} {}

Delivery GhlChannel::deliver(const Lease& lease, lane::Gate& gate, std::stop_token stop) {
    GhlClient::Marker marker{rules_.fields.pid, std::string{lease.envelope->text(envelope::Field::pid)}};
    Conversation talk{{client_, budget_, gate, times_}, lease, priority_of(lease), std::move(marker), stop};
    return DeliveryRun{talk, rules_, lease}.run();
}

Delivery GhlChannel::probe(lane::Gate& gate, std::stop_token stop) {
    const Lease none;
    Conversation talk{{client_, budget_, gate, times_}, none, lane::Priority::urgent, {}, stop};
    const auto exchange = talk.ask(read_location(rules_));
    auto out = talk.delivery();
    if (exchange) {
        out.settle.outcome = envelope::Outcome::delivered;
    } else if (!out.fault && !out.abandoned) {
        // A location that is not there, a verdict that is not "go", a budget that is used up.
        const bool wrong_location = out.settle.counts_against;
        out.fault =
            lane::Fault{wrong_location ? envelope::LaneState::down : envelope::LaneState::paused, out.settle.code, {}};
    }
    out.settle.counts_against = false;
    out.settle.contact.clear();
    return out;
}

base::Micros GhlChannel::unanswered() const {
    return client_.unanswered();
}

std::optional<lane::Fault> GhlChannel::greet(std::stop_token stop) {
    const auto met = client_.greet(std::move(stop));
    if (met.result == Exchange::Result::answered) return std::nullopt;
    return lane::Fault{met.needs_someone ? envelope::LaneState::down : envelope::LaneState::paused, met.failure, {}};
}

} // namespace clinic::ghl
