#include "sync/poll/poller.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "crypto/base/log.h"
#include "sync/envelope/crm_reads.h"
#include "sync/lane/wait.h"
#include "sync/lane/worker.h"
#include "sync/poll/phone.h"

namespace clinic::poll {
namespace {

using envelope::CrmFact;
using envelope::CrmKind;
using envelope::Route;

constexpr std::chrono::milliseconds reply_wait{10'000};
constexpr std::size_t told_max = 250'000;
constexpr int opportunity_pages_max = 10; // a round
constexpr int page_min = 1;
constexpr std::int64_t day_ms = 86'400'000, hour_ms = 3'600'000;
constexpr lane::BackoffLimits again{
    .base = std::chrono::seconds{2}, .cap = std::chrono::minutes{4}, .floor = std::chrono::seconds{1}};

std::size_t key_of(const CrmFact& fact) {
    return std::hash<std::string>{}(name(fact.kind) + std::string{"/"} + fact.id);
}

std::size_t content_hash(const CrmFact& fact) {
    return std::hash<std::string>{}(fact.id + std::to_string(fact.updated_ms) + envelope::content_of(fact));
}

bool stands(const CrmFact& fact) {
    const auto* booked = std::get_if<envelope::CrmAppointment>(&fact.said);
    return booked != nullptr &&
           (booked->status == envelope::Booking::new_ || booked->status == envelope::Booking::confirmed);
}

constexpr Error too_long{Errc::full, "a page of GHL is longer than an answer may be"};
constexpr Error not_read{Errc::offline, "a page of GHL was not read"};
constexpr Error not_there{Errc::not_found, "GHL has nothing of that id"};
constexpr Error not_allowed{Errc::unauthorized, "our key lacks a scope of the polling"};

Result<void> where_allowed(Result<void> read) {
    return !read && read.error().code == Errc::unauthorized ? Result<void>{} : read;
}

} // namespace

Poller::Poller(PollOptions options, const envelope::WriteRules& rules, lane::Lane& lane, ghl::GhlChannel& channel,
               Marks& marks, const Clock& clock)
    : options_{std::move(options)}, rules_{rules}, lane_{lane}, channel_{channel}, marks_{marks}, clock_{clock},
      client_{options_.egress}, reasons_{clock, options_.look_again} {
    forget_all_told();
}

bool Poller::in_hours(base::Micros ahead) const {
    if (!options_.hours) return true;
    const std::time_t then = (clock_.now() + ahead).micros / 1'000'000;
    std::tm local{};
    return localtime_r(&then, &local) != nullptr && options_.hours->hold(local);
}

// A quiet wait that would end within the clinic's hours is none: what happens as the clinic opens is seen as fast.
base::Micros Poller::rest_after(std::int64_t requests) const {
    const auto quiet = wait_after(options_.pace, false, requests);
    return in_hours() || in_hours(quiet) ? wait_after(options_.pace, true, requests) : quiet;
}

void Poller::run(std::stop_token stop) {
    lane::Backoff backoff{again};
    base::Micros round_at = clock_.monotonic();
    for (;;) {
        options_.pulse.rest();
        const bool looks = reasons_.wait(stop, round_at);
        if (!lane_.wait_readable(stop)) return;
        options_.pulse.beat();
        if (looks) {
            look_now(stop);
            continue;
        }
        const auto made = round(stop);
        if (stop.stop_requested()) return;
        const auto wait = rest_after(made.requests);
        if (made.code.empty()) backoff.reset();
        round_at = clock_.monotonic() + (made.code.empty() ? wait : std::min(wait, backoff.next()));
        const bool contacts_read = made.code.empty() || made.code == "scope"; // without a scope they are
        if (contacts_read && lane_.up()) walk(stop, round_at);
    }
}

Poller::Round Poller::make(const std::stop_token& stop, const std::function<Result<void>()>& all) {
    stop_ = stop;
    requests_ = 0;
    answered_ = false;
    code_.clear();
    const auto begin = [&]() -> Result<void> {
        if (client_.connected()) return {};
        CLINIC_TRY(client_.connect());
        return report({"starting", 0});
    };
    auto made = begin();
    if (made) made = all();
    return {made || !code_.empty() ? code_ : "clinicd", requests_};
}

Poller::Round Poller::round(std::stop_token stop) {
    reasons_.round_begins();
    if (now_ms() < told_since_ms_) forget_all_told(); // the clock was set back: what is told now is dated before it
    page_ = std::min(options_.page, 2 * page_);
    Round out = make(stop, [&]() -> Result<void> {
        CLINIC_TRY(location(stop));
        CLINIC_TRY(contacts(stop));
        CLINIC_TRY(bookings(stop));
        return where_allowed(opportunities(stop));
    });
    if (client_.connected() && !stop.stop_requested())
        if (const auto said = report(out); !said && out.code.empty()) out.code = "clinicd";
    return out;
}

// No round: what it does not look at is not complete, and clinicd is not told that it were.
Poller::Round Poller::look_now(std::stop_token stop) {
    const auto kinds = reasons_.take();
    Round out = make(stop, [&]() -> Result<void> {
        if (kinds.contains(CrmKind::contact)) CLINIC_TRY(contacts(stop));
        if (kinds.contains(CrmKind::appointment)) CLINIC_TRY(bookings(stop));
        return kinds.contains(CrmKind::opportunity) ? where_allowed(opportunities(stop)) : Result<void>{};
    });
    if (!out.code.empty()) reasons_.keep(kinds);
    const Pace looks{.busy = options_.look_spacing, .busy_share = options_.look_share};
    reasons_.space(wait_after(looks, true, out.requests));
    return out;
}

Result<void> Poller::report(const Round& round) {
    const envelope::CrmPolled polled{round.code, round.requests, opportunities_.whole_since_ms(), bookings_ms_};
    const auto terms = client_.ask_for<envelope::PollTerms>(polled, reply_wait, stop_);
    CLINIC_TRY(terms);
    probing_ = terms->probing;
    return {};
}

Result<ghl::Page> Poller::fetch(const ghl::Call& call, const std::stop_token& stop) {
    options_.pulse.beat();
    if (!lane_.readable()) {
        code_ = "closed";
        return not_read;
    }
    lane::EgressGate gate{client_, rules_, nullptr, reply_wait, stop, options_.pulse};
    ghl::Page page;
    const ghl::PageRules how{rules_, std::max<std::int64_t>(1, now_ms()), probing_};
    const auto delivery = channel_.read(
        call, [&](std::string_view body) { page = ghl::read_page(call.route, body, how); }, gate, stop);
    ++requests_;
    if (delivery.abandoned) {
        client_.close();
        return not_read;
    }
    const bool long_one = delivery.settle.code == "too_long";
    const bool no_scope = delivery.settle.code == "scope";
    const bool not_for_us = delivery.settle.code == "forbidden" && envelope::reads_one(call.route);
    const bool of_it_alone = not_for_us || (answered_ && delivery.fault && delivery.fault->may_be_the_request);
    if (delivery.fault && !long_one && !no_scope && !of_it_alone) lane_.fault(*delivery.fault);
    if (!delivery.settle.steps.empty()) {
        envelope::Settle ended{.lease = 0, .outcome = envelope::Outcome::delivered, .steps = delivery.settle.steps};
        CLINIC_TRY(client_.ask_for<envelope::Settled>(ended, reply_wait));
    }
    if (long_one) return too_long;
    if (delivery.settle.code == ghl::absent_code) return not_there;
    if (delivery.settle.outcome != envelope::Outcome::delivered || !page.whole) {
        code_ = delivery.settle.code.empty() ? "not_understood" : delivery.settle.code;
        return no_scope ? not_allowed : not_read;
    }
    answered_ = true;
    lane_.answered();
    return page;
}

void Poller::forget_told(const CrmFact& fact) {
    told_.erase(key_of(fact));
}

void Poller::forget_all_told() {
    told_.clear();
    told_since_ms_ = std::max<std::int64_t>(0, now_ms());
    told_since_ = clock_.monotonic();
    missing_ = false;
}

Result<bool> Poller::tell(const CrmFact& fact) {
    const auto known = told_.find(key_of(fact));
    if (known != told_.end() && known->second == content_hash(fact)) return false;
    options_.pulse.beat(); // a page of them may take longer than a beat may
    const auto taken = client_.ask_for<envelope::FactTaken>(fact, reply_wait, stop_);
    CLINIC_TRY(taken);
    if (told_.size() >= told_max) forget_all_told(); // what is told again is known there
    told_[key_of(fact)] = content_hash(fact);
    return taken->probe;
}

void Poller::pass_over(Literal what) {
    if (std::exchange(passed_over_, true)) return;
    base::log(base::Level::warning, "poll",
              Error{Errc::full, what, "GHL holds something with more than 256 KiB of text; what follows it is read"});
}

void Poller::unwatched() {
    if (std::exchange(unwatched_, true)) return;
    base::log(
        base::Level::warning, "poll",
        Error{Errc::full, "GHL holds more bookings than are watched at once",
              "of the others it is seen after a full comparison when they are deleted there; their changes at once"});
}

bool Poller::shorten(int& length, Literal alone) {
    if (length == page_min) return pass_over(alone), false;
    length = std::max(page_min, length / 2);
    return true;
}

Result<void> Poller::tell(const ghl::Page& page) {
    for (std::size_t i = 0; i < page.facts.size(); ++i) {
        const auto wanted = tell(page.facts[i]);
        CLINIC_TRY(wanted);
        if (!*wanted) continue;
        const auto person = std::ranges::find(page.people, page.facts[i].id, &ghl::Person::contact);
        if (person == page.people.end()) continue;
        if (const auto asked = probe(*person); !asked) {
            forget_told(page.facts[i]); // told once more, it is wanted once more
            return asked;
        }
    }
    return {};
}

Result<void> Poller::probe(const ghl::Person& person) {
    auto phone = read_phone(person.phone, options_.country);
    const envelope::MatchProbe asked{person.contact, phone.e164, phone.national, read_email(person.email)};
    if (asked.phone.empty() && asked.email.empty()) return {};
    options_.pulse.beat();
    CLINIC_TRY(client_.ask_for<envelope::Matched>(asked, reply_wait, stop_));
    return {};
}

// By `dateUpdated`, upwards: what changes meanwhile comes later once more. A page that is full of one moment is
// followed by the next of the same.
Result<void> Poller::contacts(const std::stop_token& stop) {
    const std::int64_t overlap = std::chrono::duration_cast<std::chrono::milliseconds>(options_.overlap).count();
    // What was read before identifiers might be asked about is read once more: none of those has been.
    const bool anew = probing_ && !marks_.probing();
    if (anew) forget_all_told();
    std::int64_t since = anew ? 0 : std::max<std::int64_t>(0, marks_.contacts_ms() - overlap);
    const std::int64_t latest = now_ms(); // a contact that is dated after it takes no mark with it
    bool passed = false;
    for (int page = 1; page <= envelope::poll_pages_max && !stop.stop_requested();) {
        const auto read = fetch(
            {Route::contacts_changed, "/contacts/search", envelope::changed_contacts_body(rules_, since, page, page_)},
            stop);
        if (!read && read.error().code == Errc::full) {
            const bool shorter = shorten(page_, long_contact);
            passed = passed || !shorter;
            page = shorter ? 1 : page + 1;
            continue;
        }
        CLINIC_TRY(read);
        CLINIC_TRY(tell(*read));
        std::int64_t newest = since;
        for (const auto& fact : read->facts) newest = std::max(newest, std::min(fact.updated_ms, latest));
        CLINIC_TRY(marks_.move_contacts(newest));
        if (read->things < static_cast<std::size_t>(page_)) return marks_.all_read(probing_);
        if (newest > since && std::exchange(passed, false)) page_ = options_.page; // it is behind us
        page = newest > since ? 1 : page + 1;
        since = newest;
    }
    code_ = "too_many";
    return not_read;
}

// All of them, in turns: each round goes on where the one before it stood, so that many of them take no time from what
// else is to be seen. One that another takes the place of meanwhile is seen the next time round.
Result<void> Poller::opportunities(const std::stop_token& stop) {
    for (int pages = 0; pages < opportunity_pages_max && !stop.stop_requested(); ++pages) {
        const auto page = static_cast<int>(opportunities_passed_ / page_) + 1;
        if (page > envelope::poll_pages_max) break;
        if (opportunities_passed_ == 0) opportunities_.begin(told_since_ms_);
        const auto read = fetch(
            {Route::opportunities_page, "/opportunities/search", envelope::opportunities_body(rules_, page, page_)},
            stop);
        if (!read && read.error().code == Errc::full) {
            if (!shorten(page_, "an opportunity is longer than an answer may be")) ++opportunities_passed_;
            continue;
        }
        CLINIC_TRY(read);
        CLINIC_TRY(tell(*read));
        for (const auto& fact : read->facts) opportunities_.saw(key_of(fact));
        opportunities_passed_ = static_cast<std::int64_t>(page) * page_;
        if (read->things < static_cast<std::size_t>(page_)) {
            pass_is_whole();
            return {};
        }
    }
    if (opportunities_passed_ / page_ >= envelope::poll_pages_max) opportunities_passed_ = 0;
    return {};
}

// One that is missing was deleted, or a page hid it: all are told anew, and which of them clinicd knows and was not
// told is for it to ask about.
void Poller::pass_is_whole() {
    opportunities_passed_ = 0;
    missing_ = opportunities_.end() || missing_;
    if (missing_ && clock_.monotonic() - told_since_ >= options_.anew_every) forget_all_told();
}

// What our key may not read is left out; the rest goes on.
Result<void> Poller::bookings(const std::stop_token& stop) {
    const std::int64_t since = told_since_ms_;
    bool all = !rules_.reads.calendars.empty();
    for (const auto& one : rules_.reads.calendars) {
        const auto read = calendar(stop, one);
        CLINIC_TRY(where_allowed(read));
        all = all && read;
    }
    if (all) bookings_ms_ = since;
    return {};
}

// In as many parts as were needed before: a part that is too long is no request of each round.
Result<void> Poller::calendar(const std::stop_token& stop, const std::string& calendar) {
    std::int64_t from = now_ms() / envelope::quarter_ms * envelope::quarter_ms - day_ms;
    const std::int64_t until = from + options_.ahead.count();
    std::erase_if(bookings_, [&](const auto& one) { // over: no answer has it any more
        return std::get<envelope::CrmAppointment>(one.second.fact.said).from_quarter * envelope::quarter_ms < from;
    });
    const auto cuts = cuts_[calendar];
    for (auto cut = cuts.upper_bound(from); cut != cuts.end() && *cut < until; ++cut) {
        CLINIC_TRY(appointments(stop, calendar, from, *cut));
        from = *cut;
    }
    return appointments(stop, calendar, from, until);
}

Result<void> Poller::appointments(const std::stop_token& stop, const std::string& calendar, std::int64_t from_ms,
                                  std::int64_t until_ms) {
    const auto read =
        fetch({Route::calendar_events, envelope::calendar_events_path(rules_, calendar, from_ms, until_ms), ""}, stop);
    if (!read && read.error().code == Errc::full && until_ms - from_ms > hour_ms) {
        const std::int64_t middle = from_ms + (until_ms - from_ms) / 2 / envelope::quarter_ms * envelope::quarter_ms;
        cuts_[calendar].insert(middle);
        CLINIC_TRY(appointments(stop, calendar, from_ms, middle));
        return appointments(stop, calendar, middle, until_ms);
    }
    if (!read && read.error().code == Errc::full)
        return pass_over("an hour of a calendar is longer than an answer may be"), Result<void>{};
    CLINIC_TRY(read);
    CLINIC_TRY(tell(*read));
    const std::int64_t read_ms = read->facts.empty() ? now_ms() : read->facts.front().read_ms;
    for (const auto& fact : read->facts) {
        if (!stands(fact))
            bookings_.erase(fact.id);
        else if (bookings_.size() < options_.bookings_max || bookings_.contains(fact.id))
            bookings_[fact.id] = {.fact = fact, .missed_at = {}};
        else
            unwatched();
    }
    return no_longer_booked(calendar, from_ms, until_ms, read_ms);
}

// One that was deleted, or moved away, is in no list any more: it does not stand. One list may lack what is there: the
// next one counts that comes so much later. Should it be seen again, that counts.
Result<void> Poller::no_longer_booked(const std::string& calendar, std::int64_t from_ms, std::int64_t until_ms,
                                      std::int64_t read_ms) {
    const auto now = clock_.monotonic();
    std::vector<std::string> gone;
    for (auto& [id, one] : bookings_) {
        const auto& booked = std::get<envelope::CrmAppointment>(one.fact.said);
        const std::int64_t begins = booked.from_quarter * envelope::quarter_ms;
        if (booked.calendar != calendar || begins < from_ms || begins + envelope::quarter_ms >= until_ms ||
            one.fact.read_ms >= read_ms)
            continue;
        if (!one.missed_at)
            one.missed_at = now;
        else if (now - *one.missed_at >= options_.missed_apart)
            gone.push_back(id);
    }
    for (const auto& id : gone) {
        auto fact = bookings_.at(id).fact;
        fact.read_ms = read_ms;
        std::get<envelope::CrmAppointment>(fact.said).status = envelope::Booking::cancelled;
        CLINIC_TRY(tell(fact));
        bookings_.erase(id);
    }
    return {};
}

Result<void> Poller::location(const std::stop_token& stop) {
    const auto now = clock_.monotonic();
    if (location_read_ && now - *location_read_ < options_.location_every) return {};
    const auto read = fetch(ghl::read_location(rules_), stop);
    CLINIC_TRY(read);
    CLINIC_TRY(tell(*read));
    cuts_.clear(); // what is shorter by now is one part again
    location_read_ = now;
    return {};
}

} // namespace clinic::poll
