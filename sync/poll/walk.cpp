// The full comparison, and what no list has shown for long: clinicd says what is to be read, and knows how far it has
// come.
#include <algorithm>
#include <utility>

#include "sync/channel/ghl/requests.h"
#include "sync/envelope/crm_reads.h"
#include "sync/lane/wait.h"
#include "sync/poll/poller.h"

namespace clinic::poll {
namespace {

using envelope::CrmKind;
using envelope::CrmWalk;
using envelope::Route;
using envelope::WalkStep;
using envelope::WalkTerms;

constexpr std::chrono::milliseconds terms_wait{10'000};

// What was said of this one, and not of the way there: the next one may be read.
bool is_about_it(const Error& why, const std::string& code) {
    return why.code == Errc::full || why.code == Errc::unauthorized || code == "not_understood" ||
           code == "forbidden" || code == "not_known" || code == "write_set" || code.starts_with("http_4");
}

ghl::Call call_of(const WalkTerms& terms) {
    if (terms.kind == CrmKind::opportunity) return ghl::read_case(terms.id);
    return terms.kind == CrmKind::appointment ? ghl::read_booking(terms.id) : ghl::read_contact(terms.id);
}

} // namespace

// What has been done is told before the time is looked at, so that none of it is done twice.
void Poller::walk(const std::stop_token& stop, base::Micros until) {
    CrmWalk done;
    while (!stop.stop_requested()) {
        options_.pulse.beat();
        const auto terms = client_.ask_for<WalkTerms>(done, terms_wait, stop_);
        const auto look = reasons_.due(); // somebody said that something has changed: that comes first
        const auto most = look ? std::min(*look, until) : until;
        if (!terms || terms->step == WalkStep::rest || clock_.monotonic() >= most) return;
        if (terms->quiet && options_.hours && in_hours()) return;
        done = {.walk = terms->walk};
        if (terms->step == WalkStep::go_on) { // clinicd has others to write for
            lane::sleep_for(stop, options_.walk_pause / 10);
            continue;
        }
        code_.clear();
        const auto made = terms->step == WalkStep::read ? walk_page(stop, *terms) : read_alone(stop, *terms);
        if (!made) return;
        done = *made;
        options_.pulse.rest();
        lane::sleep_for(stop, options_.walk_pause);
    }
}

// By `dateUpdated`, upwards, as a round reads what has changed; each fact is told, known or not: that it was seen
// counts.
Result<CrmWalk> Poller::walk_page(const std::stop_token& stop, const WalkTerms& terms) {
    CrmWalk done{.walk = terms.walk, .reached_ms = terms.from_ms, .requests = 1};
    // The rounds read opportunities and bookings: the next one tells them known or not, as this does of the contacts.
    if (std::exchange(walk_, terms.walk) != terms.walk) forget_all_told();
    if (terms.from_ms < std::exchange(walk_from_, terms.from_ms)) walk_page_ = 1, walk_length_ = options_.page; // anew
    const auto read = fetch({Route::contacts_changed, "/contacts/search",
                             envelope::changed_contacts_body(rules_, terms.from_ms, walk_page_, walk_length_)},
                            stop);
    if (!read && read.error().code == Errc::full) {
        walk_page_ = shorten(walk_length_, long_contact) ? 1 : walk_page_ + 1;
        return done;
    }
    CLINIC_TRY(read);
    for (const auto& fact : read->facts) done.reached_ms = std::max(done.reached_ms, fact.updated_ms);
    CLINIC_TRY(tell_anew(*read));
    done.whole = read->things < static_cast<std::size_t>(walk_length_);
    walk_page_ = done.whole || done.reached_ms > terms.from_ms ? 1 : walk_page_ + 1;
    return done;
}

Result<CrmWalk> Poller::read_alone(const std::stop_token& stop, const WalkTerms& terms) {
    CrmWalk done{.walk = terms.walk, .kind = terms.kind, .looked = terms.id, .requests = 1};
    const auto read = fetch(call_of(terms), stop);
    if (read) {
        CLINIC_TRY(tell_anew(*read));
        return done;
    }
    done.absent = read.error().code == Errc::not_found;
    if (!done.absent && !is_about_it(read.error(), code_)) return read.error();
    return done;
}

Result<void> Poller::tell_anew(const ghl::Page& page) {
    for (const auto& fact : page.facts) forget_told(fact);
    return tell(page);
}

} // namespace clinic::poll
