// What the box knows of itself: one Status for the page, the API, the terminal, /metrics and central ops.
//   Threads: any; the store is read through short snapshots. `status` is computed anew after a change, at most every 20
//   ms, else every 200 ms. Errors:  none to the caller: what cannot be read keeps its last value, and the status says
//   what is the matter. Words:   daemon/web/words; codes and what they mean: docs/events.md. Source:  design, "The
//   books", "The store" (named modes), "Identity of things" (clock trust); ui.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/health/checks.h"
#include "daemon/health/modes.h"
#include "daemon/outbox/dead_letters.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/store.h"
#include "daemon/records/store_check.h"
#include "sync/envelope/frame.h"

namespace clinic::health {

// How a line on the page is marked. Information needs a person and does not make the box unwell.
enum class Tone : std::uint8_t { well, information, look, not_working };
const char* name(Tone tone); // "not_working"

// A part of "No way out", as the kernel answers.
struct ContainmentPart {
    Literal part; // "network namespace", "system call filter", "own user", …
    bool holds;
    Literal detail;
};

// A number for /metrics alone, counted by a part that health does not know.
struct Measure {
    Literal name, type, help; // those of one name stand together
    std::int64_t value = 0;
    Literal labels = ""; // reason="full"
};

struct Feed {
    std::string feed; // "mllp", "csv"; of `senders`: the name the clinic gave it
    std::int64_t received = 0, stored = 0, quarantined = 0, refused = 0, duplicate = 0;
    std::int64_t last_message_s = -1; // age; -1: never
    std::int64_t expected_s = 0;      // how long it may be silent; 0: nothing is expected of it
    bool silent = false;              // for longer than that, by a clock that is trusted
};

// What the clinic expects of a sender, and whether it is silent for longer.
struct Expected {
    std::int64_t within_s = 0; // 0: nothing
    bool silent = false;
};

struct Need {                                 // one line under "What needs me": at most seven
    std::string code;                         // E####
    Literal what, meaning, by_itself, action; // `what` may have the place {n}: words::fill
    Timestamp since{};
    std::int64_t number = 0; // a count in the sentence, where it has one
    Tone tone = Tone::look;
    std::string name = {};  // of a sender, for the place {name} in `what`
    std::string cause = {}; // what the store said, for the technician, where a mode has a cause
    Literal remedy = "";
};

// A sentence of the catalogue and what fills it.
struct Sentence {
    Tone tone = Tone::well;
    std::string key;
    std::int64_t n = 0;
    std::int64_t age_s = -1;
    Timestamp at{};
};

// Of the contacts that GHL holds for us, as many as are as they were meant; what was compared last, and what differs
// now.
struct Consistency {
    std::int64_t compared = -1;              // -1: no comparison has ended yet
    std::int64_t differing = 0, lasting = 0; // now; of those, for more than an hour
    Timestamp at{};                          // when that comparison ended
    int percent() const { return share(differing); }
    int lasting_percent() const { return share(lasting); }

private:
    int share(std::int64_t of) const; // whole, rounded down
};

struct Status {
    enum class Well : std::uint8_t { well, look, not_working } well = Well::well;
    Timestamp at{}, since{}; // of the state in `well`
    Mode mode = Mode::running;
    std::string box, version, basis;
    std::int64_t basis_expires_s = -1; // from now; -1: none
    std::int64_t uptime_s = 0;
    outbox::Books crm;
    std::vector<outbox::DeadCount> dead; // by class, those there are any of
    bool dry_run = false;                // of the settings: nothing is sent
    std::vector<Feed> feeds;
    std::vector<Feed> senders; // those of "mllp" that have a name; their messages are in its books too
    std::vector<Measure> measures;
    std::vector<Need> needs;
    std::vector<ContainmentPart> containment;
    std::map<std::string, Error> not_served; // by code, E2013 or E2014: why
    envelope::TimeState lanes;               // as clinic-syncd last said
    std::int64_t lanes_age_s = -1;           // -1: clinic-syncd has not spoken yet
    bool clock_trusted = false;
    bool clock_floor_holds = false; // later than the build and than the last time a trusted clock showed
    std::int64_t clock_step_s = 0;  // how far it went forward without confirmation; 0: it did not
    bool store_open = false;        // the numbers below and the books are of an open store
    bool store_readable = true;     // false: the last look failed, and the numbers are older
    // What is known of the stored data while the mode is `damaged`. sound: it is the disk or the machine.
    enum class Data : std::uint8_t { sound, in_doubt, absent } data = Data::sound;
    bool basis_expired = false;
    Timestamp basis_expires{}; // 0: none
    int zone_minutes = 0;      // the clinic's zone east of UTC, for words
    Sentence ghl;              // is GHL up to date
    std::string dbus = "none"; // joining, open_wide, unnamed, up, lost; none: there was no bus at the start
    std::uint64_t change = 0;  // how often `changed` had been called when this was computed
    records::StoreNumbers store;
    records::CheckPlace check;          // the store's weekly check
    CheckRound checks;                  // what `clinicctl check` found
    std::int64_t telemetry_dropped = 0; // events and time stamps: no room, or more than their bound; since start
    std::int64_t patients = 0, quarantine_items = 0, audit_entries = 0;
    std::int64_t links_waiting = 0; // see StoreView
    bool crm_full = false;          // the same
    Consistency consistency;
    int disk_free_percent = 0;
};

struct Settings {
    std::string box, version;
    std::filesystem::path records; // for the free space of its file system
    Timestamp clock_floor = base::this_release;
    bool dry_run = false;        // nothing is sent, the ledger says what would be
    bool checked_hourly = false; // something of this machine has the box looked over, and tells us
};

class Health {
public:
    Health(Settings settings, const Clock& clock);
    ~Health();

    void attach(records::Store& store); // running; from here on the status has books
    void detach();                      // before the store goes away
    void set_mode(Mode mode, const Error& cause, std::string lost = {});
    // The store did not open: the mode that follows from why. `lost`: what is known to be lost, of our own words.
    void records_closed(const Error& why, std::string lost = {});
    void not_served(Literal code, const Error& why); // E2013 the page, E2014 MLLP by TLS; the rest is
    void set_containment(std::vector<ContainmentPart> parts);
    void dbus(Literal state); // Status::dbus
    // Mode::draining, until it ends, or the next start.
    void drain(bool begin);
    bool drained(Surface surface) const; // and so not served
    // A whole set of `clinicctl check`: shown until the next one, and what is news in it is told to central ops.
    void take_checks(CheckSet set);
    // Asked at each look, under a lock: must not wait, nor call back. An empty one takes it back.
    void measure(std::function<std::vector<Measure>()> source);
    // Asked at each look for each sender that has a name, as `measure` is.
    void expect(std::function<Expected(const Feed& sender, Timestamp now)> source);
    void lanes(const envelope::TimeState& said); // clinic-syncd's last word; also moves clock trust
    void looked_at();                            // by somebody, on the page or in clinicctl
    bool watched() const;                        // within the last 45 s
    // The floor, and one of the kernel's time server and GHL's date; after a step forward of more than a day both of
    // them; or a person's word, until the clock steps again.
    bool clock_trusted() const;
    // A person says that the clock is right: first what a restart must know of it, and after that commit what counts
    // from then on. Errors: refused (it shows a time before this release).
    Result<void> keep_confirmed_clock(records::Transaction& txn) const;
    Result<void> confirm_clock();
    // Something moved: the listener is called, from any thread and once until the next status is computed.
    void changed();
    void on_change(std::function<void()> listener); // one; an empty one takes it back, and it is not called any more
    std::uint64_t change() const;                   // Status::change below this: there is news

    // Events for central ops, kept in the store until acknowledged (in memory while there is none). Codes:
    // docs/events.md; severity: info, warn, error, critical. Bounds: 10,000 stored, 256 in memory; the oldest go. On a
    // full disk they are held in memory.
    void raise(Literal code, Literal severity);
    void acknowledge_events(std::int64_t number);

    // At most 20 ms behind the newest change: viewers are many. For a program or a person that asks: not behind it at
    // all, but for the number of patients, which is counted each two seconds.
    Status status();
    Status status_of_now();
    envelope::Device device();

private:
    struct State;
    std::unique_ptr<State> state_;
};

inline constexpr int needs_max = 7;
inline constexpr int events_memory_max = 256;
inline constexpr int events_stored_max = 10'000;

const char* name(Status::Well well);          // "not_working"
bool feed_balanced(const Feed& feed);         // received = stored + quarantined + refused + duplicate
bool ready(const Status& status);             // messages are taken in
std::string to_json(const Status& status);    // GET /api/v1/status; docs/status.md; stable
std::string to_metrics(const Status& status); // Prometheus text format 0.0.4

} // namespace clinic::health
