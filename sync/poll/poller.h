// Asks GHL what has changed, in rounds, and tells clinicd in facts: complete without any webhook.
//   Rules:   each request passes the gate like any other; a fact is durable in clinicd before the mark moves;
//   identifiers
//            are held for a page, and only where clinicd allows probes. What GHL deletes is in no list: clinicd hears
//            since when all that is listed has been told, and says what is to be read by itself.
//   Bounds:  100 things a page, halved while a page is too long; what alone is longer than an answer may be is passed
//            over, and said in the log once; 10 pages of opportunities a round, the next of which goes on behind them;
//            250,000 facts remembered as told, and 50,000 bookings watched for whether they are there still.
//   Errors:  a round that fails is begun again at the next, from the mark; clinicd hears why (`crm_polled`).
//   Threads: `run` in its own, with a connection of its own.
//   Source:  design, "From a message to GHL", step 5 and 6; docs/crm.md.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>

#include "crypto/base/vitals.h"
#include "sync/channel/ghl/ghl_channel.h"
#include "sync/channel/ghl/page.h"
#include "sync/lane/egress_client.h"
#include "sync/lane/lane.h"
#include "sync/poll/hours.h"
#include "sync/poll/marks.h"
#include "sync/poll/pass.h"
#include "sync/poll/reasons.h"

namespace clinic::poll {

struct PollOptions {
    std::filesystem::path egress;
    std::optional<Hours> hours; // without: it is always the clinic's hours
    Pace pace;
    std::string country = "US";
    int page = 100;
    base::Micros overlap = std::chrono::seconds{120};    // GHL's index may show a change this much later
    std::chrono::milliseconds ahead{90LL * 86'400'000};  // bookings from yesterday until then
    std::size_t bookings_max = 50'000;                   // watched
    base::Micros missed_apart = std::chrono::minutes{1}; // the two lists without a booking that stood, at least
    base::Micros location_every = std::chrono::hours{1};
    base::Micros anew_every = std::chrono::hours{1};      // all is told once more when an opportunity is missing
    base::Micros look_spacing = std::chrono::seconds{10}; // between two looks out of turn
    double look_share = 0.05;                             // of the day's requests, were it always so
    base::Micros look_again = std::chrono::seconds{60};   // behind the last reason: GHL's index lags
    base::Micros walk_pause = std::chrono::seconds{2};    // after each request of a full comparison
    base::Pulse pulse = {};
};

inline constexpr Literal long_contact = "a contact is longer than an answer may be";

class Poller {
public:
    Poller(PollOptions options, const envelope::WriteRules& rules, lane::Lane& lane, ghl::GhlChannel& channel,
           Marks& marks, const Clock& clock);
    void run(std::stop_token stop);

    struct Round {
        std::string code; // empty: complete
        std::int64_t requests = 0;
    };
    Round round(std::stop_token stop);                    // one; for tests too
    base::Micros rest_after(std::int64_t requests) const; // from the end of such a round to the next
    // The full comparison, as far as it comes: in the time between two rounds.
    void walk(const std::stop_token& stop, base::Micros until);

    // One of this kind may have changed: GHL is looked at out of turn, soon. Any thread.
    void look(envelope::CrmKind kind) { reasons_.add(kind); }
    Round look_now(std::stop_token stop); // at what there is reason to; for tests too

private:
    Round make(const std::stop_token& stop, const std::function<Result<void>()>& all);
    Result<void> bookings(const std::stop_token& stop);
    Result<void> contacts(const std::stop_token& stop);
    Result<envelope::CrmWalk> walk_page(const std::stop_token& stop, const envelope::WalkTerms& terms);
    Result<envelope::CrmWalk> read_alone(const std::stop_token& stop, const envelope::WalkTerms& terms);
    Result<void> opportunities(const std::stop_token& stop);
    Result<void> calendar(const std::stop_token& stop, const std::string& calendar);
    Result<void> appointments(const std::stop_token& stop, const std::string& calendar, std::int64_t from_ms,
                              std::int64_t until_ms);
    Result<void> no_longer_booked(const std::string& calendar, std::int64_t from_ms, std::int64_t until_ms,
                                  std::int64_t read_ms);
    Result<void> location(const std::stop_token& stop);
    // Errors: full (the page is too long), not_found, offline (clinicd), otherwise `code_` says why.
    Result<ghl::Page> fetch(const ghl::Call& call, const std::stop_token& stop);
    void pass_over(Literal what);
    void unwatched();
    // What came was longer than an answer may be: half the length, or, where it was one thing alone, past it. True: its
    // pages are numbered anew, from the first on.
    bool shorten(int& length, Literal alone);
    Result<void> tell(const ghl::Page& page);
    void forget_told(const envelope::CrmFact& fact);
    void forget_all_told();
    void pass_is_whole();
    Result<void> tell_anew(const ghl::Page& page);
    Result<bool> tell(const envelope::CrmFact& fact); // true: a probe is wanted
    Result<void> probe(const ghl::Person& person);
    Result<void> report(const Round& round);
    std::int64_t now_ms() const { return clock_.now().micros / 1'000; }
    bool in_hours(base::Micros ahead = {}) const; // now, or so much later

    PollOptions options_;
    const envelope::WriteRules& rules_;
    lane::Lane& lane_;
    ghl::GhlChannel& channel_;
    Marks& marks_;
    const Clock& clock_;
    lane::EgressClient client_;
    std::stop_token stop_;
    bool probing_ = false;
    int page_ = options_.page;                     // of a round; what made it shorter may have gone by the next
    bool passed_over_ = false, unwatched_ = false; // said
    std::int64_t requests_ = 0;
    bool answered_ = false; // a read of this round: a fault of another one is no fault of the lane
    std::string code_;
    std::optional<base::Micros> location_read_;
    Reasons reasons_;
    std::int64_t walk_ = 0;                           // the comparison that was read for last
    std::int64_t walk_from_ = 0;                      // where the comparison's newest page began, ms
    int walk_page_ = 1, walk_length_ = options_.page; // of those that begin at one moment
    std::int64_t opportunities_passed_ = 0;           // by the rounds before: the next one goes on there
    Pass opportunities_;
    bool missing_ = false;           // an opportunity that was listed is not any more, and nothing was told anew since
    std::int64_t bookings_ms_ = 0;   // all that were listed have been told since then
    std::int64_t told_since_ms_ = 0; // what `told_` holds
    base::Micros told_since_{};
    std::map<std::string, std::set<std::int64_t>> cuts_; // of a calendar: where its answers end, ms; anew each hour
    // By a hash of kind and id: one of what of it was told last. Two that share the first differ in the second.
    std::unordered_map<std::size_t, std::size_t> told_;
    struct Watched {
        envelope::CrmFact fact;                // as last seen
        std::optional<base::Micros> missed_at; // by a list since then, the first of them
    };
    std::unordered_map<std::string, Watched> bookings_; // those that stand
};

} // namespace clinic::poll
