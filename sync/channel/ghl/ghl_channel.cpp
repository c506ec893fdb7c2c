#include "sync/channel/ghl/ghl_channel.h"

#include <algorithm>

#include "sync/channel/ghl/beside_run.h"
#include "sync/channel/ghl/conversation.h"
#include "sync/channel/ghl/plan.h"

namespace clinic::ghl {
namespace {

using envelope::Kind;
using envelope::Lease;
using lane::Delivery;

constexpr std::size_t not_kept_max = 64;

lane::Priority priority_of(const Lease& lease) {
    switch (lease.envelope->kind()) {
    case Kind::consent_state:
    case Kind::contact_suppress: return lane::Priority::urgent;
    case Kind::appt_state:
    case Kind::contact_state:
    case Kind::contact_merge:
    case Kind::case_state:
    case Kind::booking_state: break;
    }
    return lane::Priority::ordinary;
}

// One lease, from where it stands to its settlement.
class DeliveryRun {
public:
    // `read_back`: what was written to a contact that is there is read again, and `kept` says whether it is so.
    DeliveryRun(Conversation& talk, const WriteRules& rules, const Lease& lease, bool read_back, bool may_write_again)
        : talk_{talk}, rules_{rules}, lease_{lease}, read_back_{read_back}, may_write_again_{may_write_again} {}
    std::optional<bool> kept() const { return kept_; }

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
            if (found->dry) return talk_.delivered(); // nobody has looked
            if (!found->answer.marked.empty()) return adopt(found->answer.marked.front());
            // Not there yet is not "not there": it is looked for again, and nothing is made meanwhile.
            if (lease_.unsure_ms > 0) return talk_.look_again();
        }
        // With this code clinicd knows that no create of unknown outcome has happened, and parks the row.
        return lease_.create && may_create(lease_.envelope->kind()) ? create()
                                                                    : talk_.retry("no_contact", talk_.backoff());
    }

    Delivery create() {
        const auto made = talk_.ask(shell(rules_, lease_));
        if (!made) return talk_.delivery();
        if (made->dry) return talk_.delivered();
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
        if (const auto& there = written_to(lease_, contact); read_back_ && !there.empty()) read_again(there);
        // Written again, some times; then it stands as it is, and is said.
        if (kept_ && !*kept_ && may_write_again_) return talk_.retry("not_kept", talk_.backoff());
        return talk_.delivered();
    }

    // What it does not answer is not known, and no reason to write again.
    void read_again(const std::string& contact) {
        talk_.expect(expected(rules_, lease_));
        if (const auto seen = talk_.ask(read_contact(contact)); seen && !seen->dry) kept_ = seen->answer.as_expected;
    }

    std::string_view pid() const { return lease_.envelope->text(envelope::Field::pid); }

    Conversation& talk_;
    const WriteRules& rules_;
    const Lease& lease_;
    const bool read_back_;
    const bool may_write_again_;
    std::optional<bool> kept_;
};

} // namespace

GhlChannel::GhlChannel(GhlClient& client, const WriteRules& rules, lane::RateBudget& budget, ChannelTimes times,
                       Surveyor* surveyor, lane::Board* board)
    : client_{client}, rules_{rules}, budget_{budget}, times_{times}, surveyor_{surveyor}, board_{board} {}

Delivery GhlChannel::deliver(const Lease& lease, lane::Gate& gate, std::stop_token stop) {
    const bool is_beside = envelope::is_beside(lease.envelope->kind());
    GhlClient::Marker marker{rules_.fields.pid, std::string{lease.envelope->text(envelope::Field::pid)}};
    if (is_beside) marker.sought = sought(lease);
    Conversation talk{{client_, budget_, gate, times_}, lease, priority_of(lease), std::move(marker), stop};
    std::optional<bool> kept;
    const bool is_case = lease.envelope->kind() == Kind::case_state;
    if (is_case && envelope::wants_object(*lease.envelope) && surveyor_ != nullptr && surveyor_->lacks_pipeline())
        return talk.retry("no_pipeline", times_.pipeline_wait);
    ReadBack back{board_ != nullptr && times_.read_back_every > 0 && always_read_back(rules_, lease),
                  may_write_again(lease)};
    auto out = is_beside ? deliver_beside(talk, rules_, lease, back) : deliver_contact(talk, lease, kept);
    if (is_beside) kept = back.kept;
    dry_ = talk.dry();
    if (kept) note(lease, *kept);
    // A field that is gone makes every body wrong: that is no fault of this one.
    if (out.settle.counts_against && surveyor_ != nullptr && surveyor_->doubt(std::move(stop))) {
        out.settle.counts_against = false;
        out.fault = surveyor_->lacking();
    }
    // So is one without its pipeline, or a stage of it; all else goes on.
    if (is_case && out.settle.counts_against && surveyor_ != nullptr && surveyor_->lacks_pipeline())
        return talk.retry("no_pipeline", times_.pipeline_wait);
    return out;
}

Delivery GhlChannel::deliver_contact(Conversation& talk, const Lease& lease, std::optional<bool>& kept) {
    DeliveryRun delivery{talk, rules_, lease, is_read_back(lease), may_write_again(lease)};
    auto out = delivery.run();
    kept = delivery.kept();
    return out;
}

// Some are read back each time: they are rare, and where one failed, GHL shows what it may not.
bool GhlChannel::is_read_back(const Lease& lease) {
    if (board_ == nullptr || times_.read_back_every == 0) return false;
    if (always_read_back(rules_, lease)) return true;
    if (lease.contact.empty()) return false;
    const std::lock_guard lock{mutex_};
    if (std::ranges::find(not_kept_, lease.lease, &NotKept::lease) != not_kept_.end()) return true;
    return ++written_ % static_cast<std::uint64_t>(times_.read_back_every) == 0;
}

bool GhlChannel::may_write_again(const Lease& lease) {
    const std::lock_guard lock{mutex_};
    const auto before = std::ranges::find(not_kept_, lease.lease, &NotKept::lease);
    return before == not_kept_.end() || before->times < times_.written_again_max;
}

void GhlChannel::note(const Lease& lease, bool kept) {
    board_->read_back(kept);
    const std::lock_guard lock{mutex_};
    const auto before = std::ranges::find(not_kept_, lease.lease, &NotKept::lease);
    const NotKept now{lease.lease, before == not_kept_.end() ? 1 : before->times + 1};
    if (before != not_kept_.end()) not_kept_.erase(before);
    if (!kept && now.times <= times_.written_again_max) not_kept_.push_back(now);
    if (not_kept_.size() > not_kept_max) not_kept_.pop_front();
}

Delivery GhlChannel::probe(lane::Gate& gate, std::stop_token stop) {
    const Lease none;
    Conversation talk{{client_, budget_, gate, times_}, none, lane::Priority::urgent, {}, stop};
    auto exchange = talk.ask(read_location(rules_));
    if (!exchange) exchange = talk.ask_with_another_token(read_location(rules_));
    dry_ = talk.dry();
    auto out = talk.delivery();
    if (exchange && surveyor_ != nullptr) out.fault = surveyor_->lacking();
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

Delivery GhlChannel::read(const Call& call, std::function<void(std::string_view)> take, lane::Gate& gate,
                          std::stop_token stop) {
    const Lease none;
    GhlClient::Marker marker;
    marker.read = std::move(take);
    Conversation talk{{client_, budget_, gate, times_}, none, lane::Priority::poll, std::move(marker), stop};
    const auto exchange = talk.ask(call);
    auto out = talk.delivery();
    // In a dry run nothing was asked: no answer is no emptiness.
    if (exchange && !exchange->dry) out.settle.outcome = envelope::Outcome::delivered;
    if (exchange && exchange->dry) out.settle.code = "dry_run";
    if (talk.absent()) out.settle.code = absent_code;
    out.settle.counts_against = false;
    return out;
}

base::Micros GhlChannel::unanswered() const {
    return client_.unanswered();
}

std::optional<lane::Fault> GhlChannel::greet(std::stop_token stop) {
    if (dry_) return std::nullopt; // not even a connection
    const auto met = client_.greet(std::move(stop));
    if (met.result == Exchange::Result::answered) return std::nullopt;
    return lane::Fault{met.needs_someone ? envelope::LaneState::down : envelope::LaneState::paused, met.failure, {}};
}

} // namespace clinic::ghl
