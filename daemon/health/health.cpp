#include "daemon/health/health.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <mutex>

#include "crypto/base/log.h"
#include "daemon/health/clock_trust.h"
#include "daemon/health/findings.h"
#include "daemon/health/judgement.h"
#include "daemon/health/store_view.h"
#include "daemon/health/telemetry.h"
#include "daemon/records/patients.h"

namespace clinic::health {
namespace {

using namespace std::chrono_literals;

constexpr base::Micros status_life = 200ms;
constexpr base::Micros status_gap = 20ms;
constexpr base::Micros patients_life = 2s;
constexpr base::Micros trusted_time_kept_each = 1h; // each is a commit, and a disk is worn by them
constexpr base::Micros read_failure_logged_each = 60s;
constexpr base::Micros watched_life = 45s; // the page without JavaScript comes again after 30 s
constexpr base::Micros never{-1};
constexpr Literal checks_setting = "checks";

std::int64_t seconds_of(base::Micros span) {
    return std::chrono::duration_cast<std::chrono::seconds>(span).count();
}

int free_percent(const std::filesystem::path& folder) {
    struct statvfs disk {};
    if (statvfs(folder.c_str(), &disk) != 0 || disk.f_blocks == 0) return 100; // not known is not full
    return static_cast<int>(disk.f_bavail * 100 / disk.f_blocks);
}

int machine_zone_minutes(Timestamp at) {
    const std::time_t seconds = at.micros / 1'000'000;
    std::tm local{};
    if (localtime_r(&seconds, &local) == nullptr) return 0;
    return static_cast<int>(local.tm_gmtoff / 60);
}

} // namespace

// What others tell is under `facts_mutex`, held for moments; the store is read under `look_mutex` alone, so that a
// writer thread that raises an event never waits for a reader.
struct Health::State {
    State(Settings how, const Clock& ticking)
        : settings{std::move(how)}, clock{ticking}, started{ticking.monotonic()}, time{settings.clock_floor, ticking},
          telemetry{ticking} {}

    const Settings settings;
    const Clock& clock;
    const base::Micros started;
    std::mutex listener_mutex; // held while it is called: once it is taken back, it is not called
    std::function<void()> listener;
    std::atomic<std::uint64_t> changes{0};
    std::atomic<bool> woken{false};
    std::atomic<base::Micros::rep> looked_at{never.count()};
    std::atomic<bool> draining{false};

    mutable std::mutex facts_mutex;
    Mode mode = Mode::locked;
    std::optional<Error> cause; // of the mode
    std::string lost;           // of the stored data, where that is the cause
    std::vector<ContainmentPart> containment;
    std::map<std::string, Error> not_served;
    Literal dbus = "none";
    ClockTrust time;
    Telemetry telemetry;             // has a lock of its own, and takes none of ours
    records::Store* store = nullptr; // changed under both mutexes, so either allows a look

    std::mutex look_mutex;
    std::function<std::vector<Measure>()> measure;
    std::function<Expected(const Feed&, Timestamp)> expect;
    StoreView view;
    std::int64_t patients = 0;
    bool readable = true;
    records::StoreNumbers numbers;
    base::Micros computed_at = never, patients_at = never, trusted_time_at = never, failure_logged_at = never;
    std::uint64_t patients_commits = 0;
    Status last;
    Watch watch;
    CheckRound round;
    base::Micros round_at = never; // monotonic; never: told before this start, or not at all
    CheckNews check_news;

    void read_store(base::Micros now);
    void copy_facts(Status& status) const;
    void copy_view(Status& status) const;
    void copy_checks(Status& status, base::Micros now) const;
    void keep_checks();
    std::optional<Error> why_of(const std::string& code, const Status& status) const;
    Status no_older_than(base::Micros gap);
    void judge(Status& status, base::Micros now);
    void remember_time(base::Micros now);
    void compute(base::Micros now);
};

// Under look_mutex.
void Health::State::read_store(base::Micros now) {
    if (store == nullptr) return;
    numbers = store->numbers();
    const bool count =
        patients_at == never || (now - patients_at > patients_life && numbers.commits != patients_commits);
    const auto done = store->read([&](records::Snapshot& snapshot) -> Result<void> {
        auto fresh = read_view(snapshot);
        if (!fresh) return fresh.error();
        view = std::move(*fresh);
        if (!count) return {};
        auto counted = records::patient_count(snapshot);
        if (!counted) return counted.error();
        patients = *counted;
        patients_at = now;
        patients_commits = numbers.commits;
        return {};
    });
    readable = done.has_value();
    if (done || (failure_logged_at != never && now - failure_logged_at < read_failure_logged_each)) return;
    failure_logged_at = now;
    base::log(base::Level::error, "health", done.error());
}

void Health::State::copy_facts(Status& status) const {
    const std::lock_guard lock{facts_mutex};
    status.mode = mode;
    status.containment = containment;
    status.not_served = not_served;
    status.dbus = dbus.c_str();
    status.lanes = time.said();
    const auto said_ago = time.said_ago();
    status.lanes_age_s = said_ago ? seconds_of(*said_ago) : -1;
    status.clock_trusted = time.trusted();
    const auto& trouble = store != nullptr ? numbers.write_failure : cause;
    if (store != nullptr && trouble) status.mode = mode_of(*trouble);
    if (trouble) status.data = data_of(trouble->code);
    if (status.mode == Mode::running && draining)
        status.mode = Mode::draining;
    else if (status.mode == Mode::running && !status.clock_trusted)
        status.mode = Mode::clock_untrusted;
    status.clock_floor_holds = time.floor_holds(status.at);
    if (!status.clock_trusted) status.clock_step_s = seconds_of(time.step_forward(status.at));
    status.store_open = store != nullptr;
    status.telemetry_dropped = telemetry.dropped();
}

void Health::State::copy_view(Status& status) const {
    status.crm = view.crm;
    status.dry_run = settings.dry_run;
    status.dead = view.dead;
    status.feeds = view.feeds.empty() ? no_messages_yet() : view.feeds;
    status.senders = view.senders;
    for (Feed& sender : status.senders) {
        const auto expected = expect ? expect(sender, status.at) : Expected{};
        sender.expected_s = expected.within_s;
        sender.silent = expected.silent && status.clock_trusted;
    }
    if (measure) status.measures = measure();
    status.basis = view.basis;
    status.basis_expired = view.basis_expired && status.clock_trusted; // no end is concluded by a clock not trusted
    status.basis_expires = view.basis_expires;
    if (view.basis_expires.micros != 0 && !view.basis_expired)
        status.basis_expires_s = std::max<std::int64_t>(0, seconds_of(view.basis_expires - status.at));
    status.zone_minutes = machine_zone_minutes(status.at);
    status.store_readable = readable;
    status.store = numbers;
    status.patients = patients;
    status.quarantine_items = view.quarantine_items;
    status.links_waiting = view.links_waiting;
    status.crm_full = view.crm_full;
    status.consistency = view.consistency;
    status.audit_entries = view.audit_entries;
    status.check = view.check;
}

// Under look_mutex. By a clock that is not trusted a set of before the start has no age. While the box was off nobody
// could tell.
void Health::State::copy_checks(Status& status, base::Micros now) const {
    if (round.at.micros == 0) {
        status.checks.missed_s = settings.checked_hourly ? status.uptime_s : 0;
        return;
    }
    const bool told = round_at != never;
    const base::Micros age = told ? now - round_at : status.at - round.at;
    status.checks = round;
    status.checks.age_s = told || status.clock_trusted ? std::max<std::int64_t>(0, seconds_of(age)) : 0;
    status.checks.missed_s = told ? status.checks.age_s : std::min(status.checks.age_s, status.uptime_s);
}

// Under look_mutex. While the records are closed it is not kept: an hour later it is told again.
void Health::State::keep_checks() {
    const std::lock_guard lock{facts_mutex};
    if (store == nullptr || !store->takes_records()) return;
    telemetry.post([text = encode(round, check_news)](records::Transaction& txn) {
        return records::set_setting(txn, checks_setting, text);
    });
}

// Under facts_mutex. For the technician.
std::optional<Error> Health::State::why_of(const std::string& code, const Status& status) const {
    if (const auto service = status.not_served.find(code); service != status.not_served.end()) return service->second;
    if (code.starts_with("E4")) return said_by_check(code);
    if (is_mode_code(code)) return store != nullptr ? numbers.write_failure : cause;
    return code == "E2106" || code == "E2110" ? mqtt_cause(status.lanes.mqtt_code) : std::nullopt;
}

// `gap`: so long what was computed counts although something has changed since.
Status Health::State::no_older_than(base::Micros gap) {
    const std::lock_guard lock{look_mutex};
    const base::Micros now = clock.monotonic();
    const base::Micros age = now - computed_at;
    const bool outrun = changes != last.change && age >= gap;
    if (computed_at == never || age >= status_life || outrun) compute(now);
    return last;
}

// From the numbers to what a person is told; news is told to central ops as well.
void Health::State::judge(Status& status, base::Micros now) {
    auto seen = watch.look(findings(status), status.at, now);
    status.needs = std::move(seen.visible);
    status.well = wellness(status.needs);
    status.since = status.well == last.well && last.at.micros != 0 ? last.since : status.at;
    status.ghl = ghl_answer(status);
    const std::lock_guard lock{facts_mutex};
    for (Need& need : status.needs) {
        const auto why = why_of(need.code, status);
        if (!why) continue;
        need.cause = why->what.c_str();
        if (store == nullptr && is_mode_code(need.code) && !lost.empty()) need.cause += "; lost: " + lost;
        need.remedy = why->remedy;
    }
    for (const Finding& one : seen.news) telemetry.tell(one.code, severity_of(one));
}

// The newest time that was right: no clock is trusted before it, after a restart either.
void Health::State::remember_time(base::Micros now) {
    const std::lock_guard lock{facts_mutex};
    const auto at = time.remember();
    if (!at) return;
    if (store == nullptr || (trusted_time_at != never && now - trusted_time_at < trusted_time_kept_each)) return;
    trusted_time_at = now;
    if (!store->takes_records()) return telemetry.drop_one(); // the next one does as well
    telemetry.post([at = *at](records::Transaction& txn) { return keep_trusted_time(txn, at); }, 1);
}

void Health::State::compute(base::Micros now) {
    woken = false; // from here on a change wakes the listener again
    Status status;
    status.change = changes;
    status.at = clock.now();
    status.box = settings.box;
    status.version = settings.version;
    status.uptime_s = seconds_of(now - started);
    status.disk_free_percent = free_percent(settings.records);
    read_store(now);
    copy_facts(status);
    copy_view(status);
    copy_checks(status, now);
    judge(status, now);
    remember_time(now);
    if (store != nullptr && !numbers.write_failure) telemetry.store_held();
    last = std::move(status);
    computed_at = now;
}

Health::Health(Settings settings, const Clock& clock) : state_{std::make_unique<State>(std::move(settings), clock)} {}
Health::~Health() = default;

void Health::attach(records::Store& store) {
    std::int64_t newest = 0;
    Timestamp trusted{};
    std::string checks;
    const auto done = store.read([&](records::Snapshot& snapshot) -> Result<void> {
        auto number = newest_event(snapshot);
        if (!number) return number.error();
        newest = *number;
        auto at = last_trusted_time(snapshot);
        if (!at) return at.error();
        trusted = *at;
        auto kept = records::setting(snapshot, checks_setting);
        CLINIC_TRY(kept);
        checks = std::move(*kept).value_or("");
        return {};
    });
    if (!done) base::log(base::Level::error, "health", done.error());
    {
        const std::scoped_lock lock{state_->look_mutex, state_->facts_mutex};
        state_->store = &store;
        state_->mode = Mode::running;
        state_->time.restore(trusted);
        state_->telemetry.attach(store, newest);
        if (state_->round_at == never) decode(checks, state_->round, state_->check_news);
        state_->cause.reset();
        state_->computed_at = state_->patients_at = never;
    }
    changed();
}

void Health::detach() {
    const std::scoped_lock lock{state_->look_mutex, state_->facts_mutex};
    state_->store = nullptr;
    state_->telemetry.detach();
    state_->computed_at = never;
}

void Health::set_mode(Mode mode, const Error& cause, std::string lost) {
    {
        const std::lock_guard lock{state_->facts_mutex};
        state_->mode = mode;
        state_->cause = cause;
        state_->lost = std::move(lost);
    }
    changed();
}

void Health::records_closed(const Error& why, std::string lost) {
    set_mode(mode_of(why), why, std::move(lost));
}

void Health::not_served(Literal code, const Error& why) {
    {
        const std::lock_guard lock{state_->facts_mutex};
        state_->not_served.insert_or_assign(code.c_str(), why);
    }
    changed();
}

void Health::set_containment(std::vector<ContainmentPart> parts) {
    {
        const std::lock_guard lock{state_->facts_mutex};
        state_->containment = std::move(parts);
    }
    changed();
}

void Health::dbus(Literal state) {
    {
        const std::lock_guard lock{state_->facts_mutex};
        state_->dbus = state;
    }
    changed();
}

void Health::drain(bool begin) {
    if (state_->draining.exchange(begin) == begin) return;
    base::log(base::Level::notice, "health",
              begin ? Literal{"no more messages are taken in: what waits goes on leaving"}
                    : Literal{"messages are taken in again"});
    changed();
}

bool Health::drained(Surface surface) const {
    return state_->draining && serves(Mode::draining, surface) == Serves::nothing;
}

void Health::expect(std::function<Expected(const Feed& sender, Timestamp now)> source) {
    const std::lock_guard lock{state_->look_mutex};
    state_->expect = std::move(source);
}

void Health::measure(std::function<std::vector<Measure>()> source) {
    const std::lock_guard lock{state_->look_mutex};
    state_->measure = std::move(source);
}

void Health::lanes(const envelope::TimeState& said) {
    bool news = false;
    {
        const std::lock_guard lock{state_->facts_mutex};
        news = state_->time.hear(said);
    }
    if (news) changed();
}

void Health::looked_at() {
    state_->looked_at = state_->clock.monotonic().count();
}

bool Health::watched() const {
    const base::Micros at{state_->looked_at};
    return at != never && state_->clock.monotonic() - at < watched_life;
}

bool Health::clock_trusted() const {
    const std::lock_guard lock{state_->facts_mutex};
    return state_->time.trusted();
}

Result<void> Health::keep_confirmed_clock(records::Transaction& txn) const {
    CLINIC_TRY(state_->time.may_be_confirmed());
    return keep_trusted_time(txn, txn.now());
}

Result<void> Health::confirm_clock() {
    CLINIC_TRY(state_->time.may_be_confirmed());
    {
        const std::lock_guard lock{state_->facts_mutex};
        state_->time.confirm();
    }
    base::log(base::Level::notice, "health", "a person confirmed the clock");
    changed();
    return {};
}

void Health::take_checks(CheckSet set) {
    const Status before = status_of_now();
    {
        const std::lock_guard lock{state_->look_mutex};
        const auto is_said = [&](std::string_view code) {
            return std::any_of(before.needs.begin(), before.needs.end(),
                               [&](const Need& need) { return need.code == code; });
        };
        for (std::size_t i = 0; i < set.size(); ++i)
            if (ails(set[i]) && is_said(declared_checks()[i].behind.c_str())) set[i] = CheckResult::suppressed;
        state_->round = {.at = state_->clock.now(), .set = set};
        state_->round_at = state_->clock.monotonic();
        const auto news = state_->check_news.take(set, state_->round_at);
        for (const auto& one : news)
            state_->telemetry.tell(declared_checks()[one.check].code.c_str(), severity_of(one.now));
        state_->keep_checks();
    }
    changed();
}

void Health::changed() {
    ++state_->changes;
    if (state_->woken.exchange(true)) return;
    const std::lock_guard lock{state_->listener_mutex};
    if (state_->listener) state_->listener();
}

void Health::on_change(std::function<void()> listener) {
    const std::lock_guard lock{state_->listener_mutex};
    state_->listener = std::move(listener);
    state_->woken = false; // what changed before it was there woke nobody
}

std::uint64_t Health::change() const {
    return state_->changes;
}

void Health::raise(Literal code, Literal severity) {
    state_->telemetry.tell(code.c_str(), severity.c_str());
    changed();
}

void Health::acknowledge_events(std::int64_t number) {
    state_->telemetry.acknowledge(number);
}

Status Health::status() {
    return state_->no_older_than(status_gap);
}

Status Health::status_of_now() {
    return state_->no_older_than(0us);
}

envelope::Device Health::device() {
    const Status status = this->status();
    const std::lock_guard lock{state_->look_mutex};
    envelope::Device device{
        .mode = name(status.mode),
        .uptime_s = status.uptime_s,
        .version = status.version,
        .queue =
            static_cast<int>(std::min(status.crm.pending + status.crm.leased + status.crm.parked, outbox::rows_max)),
        .oldest_s = status.crm.oldest_pending_s,
        .dead = static_cast<int>(std::min(status.crm.dead, outbox::rows_max)),
        .disk_free_percent = status.disk_free_percent / 5 * 5,
        .clock_trusted = status.clock_trusted,
        .chain_ok = status.store.authentication_failures == 0,
        .contained = !status.containment.empty() && std::all_of(status.containment.begin(), status.containment.end(),
                                                                [](const ContainmentPart& part) { return part.holds; }),
        .basis = status.basis_expired ? "off" : status.basis};
    if (status.consistency.compared >= 0) device.data_consistency = status.consistency.percent();
    for (const Feed& feed : status.feeds)
        device.feeds.push_back({feed.feed, feed.received, feed.stored, feed.quarantined, feed.refused, feed.duplicate,
                                feed.last_message_s});
    device.events = state_->telemetry.open_events();
    return device;
}

int Consistency::share(std::int64_t of) const {
    if (compared <= 0) return of == 0 ? 100 : 0;
    return static_cast<int>(100 * (compared - std::min(of, compared)) / compared);
}

const char* name(Tone tone) {
    switch (tone) {
    case Tone::well: return "well";
    case Tone::information: return "information";
    case Tone::look: return "look";
    case Tone::not_working: return "not_working";
    }
    return "well";
}

bool feed_balanced(const Feed& feed) {
    return feed.received == feed.stored + feed.quarantined + feed.refused + feed.duplicate;
}

bool ready(const Status& status) {
    return status.store_open && serves(status.mode, Surface::mllp) == Serves::all;
}

} // namespace clinic::health
