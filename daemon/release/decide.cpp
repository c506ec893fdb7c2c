#include "daemon/release/decide.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <tuple>

#include "crypto/base/days.h"

namespace clinic::release {
namespace {

using base::local_date;
using envelope::ApptStatus;
using envelope::Bucket;
using envelope::Channel;
using envelope::Reason;
using envelope::Stage;
using envelope::TimeBucket;
using envelope::Visit;
using envelope::Word;
using records::AppointmentFacts;
using records::AppointmentStatus;
using records::ConsentScope;
using records::ConsentState;
using records::PatientFacts;
using records::PatientStatus;

constexpr std::chrono::hours face_grace{12}; // an appointment of this morning is still today's

std::chrono::sys_days months_later(std::chrono::sys_days day, int months) {
    const std::chrono::year_month_day date = std::chrono::year_month_day{day} + std::chrono::months{months};
    return date.ok() ? std::chrono::sys_days{date}
                     : std::chrono::sys_days{date.year() / date.month() / std::chrono::last};
}

// `later` is not before `earlier`.
Bucket distance(std::chrono::sys_days earlier, std::chrono::sys_days later) {
    const auto days = (later - earlier).count();
    if (days <= 2) return Bucket::d0_2;
    if (days <= 7) return Bucket::d3_7;
    if (days <= 30) return Bucket::d8_30;
    if (later <= months_later(earlier, 3)) return Bucket::m1_3;
    return later <= months_later(earlier, 6) ? Bucket::m3_6 : Bucket::m6_plus;
}

Word word(const char* text) {
    const auto found = Word::parse(text);
    assert(found);
    return *found;
}

ApptStatus status_of(AppointmentStatus status) {
    switch (status) {
    case AppointmentStatus::requested: return ApptStatus::requested;
    case AppointmentStatus::booked: return ApptStatus::booked;
    case AppointmentStatus::confirmed: return ApptStatus::confirmed;
    case AppointmentStatus::arrived: return ApptStatus::arrived;
    case AppointmentStatus::completed: return ApptStatus::completed;
    case AppointmentStatus::no_show: return ApptStatus::no_show;
    case AppointmentStatus::rescheduled: return ApptStatus::rescheduled;
    case AppointmentStatus::cancelled:
    case AppointmentStatus::entered_in_error: return ApptStatus::cancelled;
    }
    return ApptStatus::cancelled;
}

// The gate: which rule decides, before anything is said.
struct Gate {
    Because because = Because::allowed;
    std::optional<Reason> suppress;
};

// True when a consent that counts has an end, which only a trusted clock can judge.
bool consent_ends(const PatientFacts& facts) {
    return std::ranges::any_of(facts.consents, [](const records::ConsentFacts& consent) {
        return consent.state == ConsentState::granted && consent.expires_at.has_value();
    });
}

Gate person_gate(const PatientFacts& facts) {
    if (facts.status == PatientStatus::erased) return {Because::erased, Reason::erased};
    if (facts.test_traffic) return {Because::test_traffic, {}};
    if (facts.status == PatientStatus::merged) return {Because::merged, {}};
    return {};
}

Gate basis_gate(const Policy& policy, Moment moment, Recipient recipient) {
    if (policy.basis == Basis::off) return {Because::basis_off, {}};
    if (policy.basis == Basis::deid && recipient == Recipient::contact_store)
        return {Because::deid_needs_contactless, {}};
    if (moment.clock_trusted && policy.effective(moment.now) == Basis::off)
        return {Because::basis_expired, Reason::expired};
    return {};
}

Gate consent_gate(const PatientFacts& facts, Basis basis, Moment moment) {
    // Without a trusted clock an expiry is not concluded; clock_untrusted follows from it.
    const Timestamp at = moment.clock_trusted ? moment.now : Timestamp{};
    const auto state = consent_at(facts, ConsentScope::crm_sync, at);
    if (state == ConsentState::revoked) return {Because::consent_revoked, Reason::revoked};
    if (state == ConsentState::expired) return {Because::consent_expired, Reason::expired};
    const bool needs_grant = basis == Basis::authorized || basis == Basis::consumer_consent;
    if (needs_grant && !state) return {Because::no_consent, Reason::restricted};
    return {};
}

// What is told of a person, once it may be.
class Teller {
public:
    Teller(const PatientFacts& facts, const Policy& policy, Timestamp now)
        : facts_{facts}, policy_{policy}, now_{now} {}

    ContactState contact() const {
        const Stage stage = this->stage();
        const AppointmentFacts* next = soonest_open();
        return {stage, tags(stage), channel(stage), bucket_ago(facts_.last_visit),
                next == nullptr ? TimeBucket{} : bucket_ahead(next->start)};
    }

    std::optional<ApptState> appointment(std::optional<records::AppointmentId> changed) const {
        const AppointmentFacts* face = soonest_open();
        if (face == nullptr) face = changed ? of_id(*changed) : newest();
        if (face == nullptr) return std::nullopt;
        return ApptState{face->id, status_of(face->status), visit(*face), bucket_ahead(face->start)};
    }

private:
    bool deid() const { return policy_.basis == Basis::deid; }
    TimeBucket bucket_ahead(std::optional<Timestamp> at) const { return deid() ? year_of(at) : ahead(now_, at); }
    TimeBucket bucket_ago(std::optional<Timestamp> at) const { return deid() ? year_of(at) : ago(now_, at); }

    std::int64_t days_since(Timestamp at) const { return (local_date(now_) - local_date(at)).count(); }

    Stage stage() const {
        if (facts_.status == PatientStatus::inactive) return Stage::inactive;
        const bool expected = soonest_open() != nullptr;
        if (facts_.visits == 0 || !facts_.last_visit) {
            return expected || days_since(facts_.created_at) <= policy_.new_for_days ? Stage::new_ : Stage::lead;
        }
        const std::int64_t days = days_since(*facts_.last_visit);
        if (!expected && days > policy_.lapsed_after_days) return Stage::lapsed;
        if (!expected && days > policy_.recall_after_days) return Stage::recall_due;
        return facts_.visits == 1 && days <= policy_.new_for_days ? Stage::new_ : Stage::active;
    }

    bool granted(ConsentScope scope) const { return consent_at(facts_, scope, now_) == ConsentState::granted; }

    bool do_not_contact() const {
        const auto reminders = consent_at(facts_, ConsentScope::reminders, now_);
        return reminders && *reminders != ConsentState::granted;
    }

    std::vector<Word> tags(Stage stage) const {
        constexpr std::int64_t twelve_months_days = 365;
        std::vector<Word> tags;
        if (stage == Stage::new_) tags.push_back(word("new_patient"));
        if (stage == Stage::active) tags.push_back(word("returning"));
        if (stage == Stage::recall_due) tags.push_back(word("recall_due"));
        if (stage == Stage::lapsed) {
            tags.push_back(days_since(*facts_.last_visit) >= twelve_months_days ? word("lapsed_12m")
                                                                                : word("recall_due"));
        }
        if (do_not_contact())
            tags.push_back(word("do_not_contact"));
        else if (granted(ConsentScope::marketing) && stage != Stage::inactive) {
            tags.push_back(word("review_ok"));
            tags.push_back(word("referral_ok"));
        }
        std::ranges::sort(tags);
        return tags;
    }

    Channel channel(Stage stage) const {
        if (deid() || do_not_contact() || stage == Stage::inactive) return Channel::none;
        if (facts_.has_mobile) return Channel::sms;
        return facts_.has_email ? Channel::email : Channel::none;
    }

    // Open and not over: by start, those without one last, and by id so that the answer is one.
    const AppointmentFacts* soonest_open() const {
        const auto rank = [](const AppointmentFacts& facts) { return std::tuple{!facts.start, facts.start, facts.id}; };
        const AppointmentFacts* best = nullptr;
        for (const AppointmentFacts& each : facts_.appointments) {
            if (!records::is_open(each.status) || (each.start && *each.start < now_ - face_grace)) continue;
            if (best == nullptr || rank(each) < rank(*best)) best = &each;
        }
        return best;
    }

    const AppointmentFacts* of_id(records::AppointmentId id) const {
        const auto found = std::ranges::find(facts_.appointments, id, &AppointmentFacts::id);
        return found == facts_.appointments.end() ? nullptr : &*found;
    }

    const AppointmentFacts* newest() const {
        const auto rank = [](const AppointmentFacts& facts) { return std::tuple{facts.start, facts.id}; };
        const auto found = std::ranges::max_element(facts_.appointments, {}, rank);
        return found == facts_.appointments.end() ? nullptr : &*found;
    }

    // Their first visit: they were never here, or only for this very appointment.
    Visit visit(const AppointmentFacts& face) const {
        if (deid()) return Visit::other;
        if (facts_.visits == 0) return Visit::first;
        const bool only_this = facts_.visits == 1 && facts_.last_visit && face.start &&
                               local_date(*facts_.last_visit) == local_date(*face.start);
        return only_this ? Visit::first : Visit::repeat;
    }

    const PatientFacts& facts_;
    const Policy& policy_;
    Timestamp now_;
};

} // namespace

Literal name(Because because) {
    static constexpr std::array<Literal, 15> names{"allowed",
                                                   "basis_off",
                                                   "basis_expired",
                                                   "deid_needs_contactless",
                                                   "no_consent",
                                                   "consent_revoked",
                                                   "consent_expired",
                                                   "clock_untrusted",
                                                   "test_traffic",
                                                   "merged",
                                                   "inactive_unknown",
                                                   "erased",
                                                   "not_configured",
                                                   "held_in_ghl",
                                                   "over"};
    return names.at(static_cast<std::size_t>(because));
}

TimeBucket ahead(Timestamp now, std::optional<Timestamp> at) {
    if (!at) return Bucket::none;
    const auto today = local_date(now);
    const auto day = local_date(*at);
    return day < today ? Bucket::past : distance(today, day);
}

TimeBucket ago(Timestamp now, std::optional<Timestamp> at) {
    if (!at) return Bucket::none;
    const auto today = local_date(now);
    return distance(std::min(today, local_date(*at)), today);
}

TimeBucket year_of(std::optional<Timestamp> at) {
    if (!at) return Bucket::none;
    const int year{std::chrono::year_month_day{local_date(*at)}.year()};
    return TimeBucket::year(year).value_or(TimeBucket{});
}

std::optional<ConsentState> consent_at(const PatientFacts& facts, ConsentScope scope, Timestamp now) {
    const auto found = std::ranges::find(facts.consents, scope, &records::ConsentFacts::scope);
    if (found == facts.consents.end()) return std::nullopt;
    const bool over = found->state == ConsentState::granted && found->expires_at && *found->expires_at <= now;
    return over ? ConsentState::expired : found->state;
}

Decision decide(const PatientFacts& facts, const Policy& policy, Moment moment,
                std::optional<records::AppointmentId> changed, Recipient recipient) {
    Gate gate = person_gate(facts);
    if (gate.because == Because::allowed) gate = basis_gate(policy, moment, recipient);
    if (gate.because == Because::allowed) gate = consent_gate(facts, policy.basis, moment);

    Decision decision;
    decision.because = gate.because;
    decision.suppress = gate.suppress;
    decision.clock_holds = !moment.clock_trusted && (policy.has_expiry() || consent_ends(facts));
    if (gate.because != Because::allowed) return decision;

    const Teller teller{facts, policy, moment.now};
    decision.contact = teller.contact();
    decision.appointment = teller.appointment(changed);
    decision.may_leave = !decision.clock_holds;
    if (decision.clock_holds) decision.because = Because::clock_untrusted;
    return decision;
}

} // namespace clinic::release
