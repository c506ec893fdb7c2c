#include "daemon/doors.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "crypto/base/log.h"
#include "daemon/audit/trail.h"
#include "daemon/commands.h"
#include "daemon/control/control_server.h"
#include "daemon/crm/bookings.h"
#include "daemon/egress/egress_server.h"
#include "daemon/housekeeping.h"
#include "daemon/intake/hl7_ack.h"
#include "daemon/intake/ingest.h"
#include "daemon/intake/mllp_server.h"
#include "daemon/intake_measures.h"
#include "daemon/integrity.h"
#include "daemon/key_desk.h"
#include "daemon/records/salvage/lost.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::daemon {
namespace {

using base::Level;
using base::log;

// The longest that each may go without a beat. Where a disk hangs for that long, a start anew is worth the try.
constexpr std::chrono::seconds intake_beat_max{60}, disk_beat_max{120};

// Errors: a store without the end of its audit chain is closed again: nothing can be done with it without an entry.
Result<std::unique_ptr<records::Store>> open_store(const Options& options, const crypto::KeySlot& slot,
                                                   base::Vitals& vitals, const Clock& clock,
                                                   std::function<void(const Error&)> damaged) {
    auto pulse = vitals.join("the store's writer", disk_beat_max);
    pulse.rest(); // to open a store may take long
    auto store = records::Store::open({.folder = options.records,
                                       .cache = records::cache_for(records::memory_kib_here()),
                                       .pulse = std::move(pulse),
                                       .on_damage = std::move(damaged)},
                                      slot, clock);
    CLINIC_TRY(store);
    CLINIC_TRY((*store)->read([](records::Snapshot& session) { return audit::Trail::check_end(session); }));
    return store;
}

constexpr int hours_a_day = 24;

// What the machine or a person may put right while we run; stored data that failed its check waits for a restore.
std::chrono::seconds try_again_after(Errc code) {
    const bool may_pass = code == Errc::full || code == Errc::locked || code == Errc::system || code == Errc::refused ||
                          code == Errc::not_found || code == Errc::busy;
    return may_pass ? std::chrono::seconds{5} : std::chrono::seconds{60};
}

intake::MllpOptions intake_options(const Options& options, std::shared_ptr<const intake::Feeds> feeds,
                                   base::Vitals& vitals) {
    return {.feeds = std::move(feeds),
            .frame_bytes_max = options.mllp_message_bytes_max,
            .pulse = vitals.join("intake", intake_beat_max)};
}

egress::ServerOptions egress_options(const Options& options, base::Vitals& vitals) {
    return {.peer = options.peer, .pulse = vitals.join("egress", disk_beat_max)};
}

egress::GateOptions gate_options(const Options& options) {
    return {options.ghl,
            std::chrono::milliseconds{options.index_lag_ms},
            std::chrono::milliseconds{options.late_ms},
            options.dry_run,
            options.slots_at_once,
            options.compare_hour < hours_a_day ? options.compare_hour : crm::no_hour};
}

outbox::Coalesce coalesce_of(const Options& options) {
    return {std::chrono::milliseconds{options.coalesce_ms}, std::chrono::milliseconds{options.coalesce_quiet_ms}};
}

intake::Complaint complaint_of(Errc why) {
    constexpr Literal remedy = "send it again later; the box's page says why";
    switch (why) {
    case Errc::locked: return {.text = "the records are locked", .remedy = remedy};
    case Errc::full: return {.text = "there is no room left on the box's disk", .remedy = remedy};
    case Errc::tampered:
    case Errc::corrupt:
    case Errc::conflict:
        return {.text = "the records are damaged, and closed",
                .remedy = "keep it, and send it again when the box is mended; its page says more"};
    default: return {.text = "the records are closed", .remedy = remedy};
    }
}

intake::Complaint drained() {
    return {.text = "the box takes in no more messages for now",
            .remedy = "send it again later; the box's page says why"};
}

void turn_away(const intake::Frame& frame, const intake::MllpServer::Answer& answer, const intake::Complaint& why,
               const Clock& clock) {
    const auto header = intake::read_header(frame.bytes);
    answer(intake::answer(header ? std::optional{*header} : std::nullopt, intake::Outcome::failed, why, clock.now()));
}

// Everything that needs the store: absent in the modes without one. Destroyed from the last to the first: senders are
// answered and sent away, then the store finishes what was posted, and only then goes what its jobs speak to.
struct Parts {
    Parts(const Options& options, base::UniqueFd egress_socket, std::unique_ptr<records::Store> opened,
          std::shared_ptr<intake::Feeds> named, health::Health& health, base::Vitals& vitals, const Clock& clock,
          std::function<void(const Error&)> damaged)
        : well{health}, feeds{std::move(named)}, releaser{clock, coalesce_of(options)}, gate{gate_options(options),
                                                                                             opened->identifiers(),
                                                                                             releaser},
          ingest{*opened, releaser, clock, feeds,
                 [&health](Literal code, Literal severity) { health.raise(code, severity); }},
          store{std::move(opened)},
          egress{std::move(egress_socket), egress_options(options, vitals), gate, *store, releaser, health, clock},
          housekeeping{*store, releaser, *feeds, health, clock}, integrity{*store, clock, std::move(damaged)} {
        releaser.tell_bookings({options.ghl.bookings, !options.ghl.booking_calendar.empty()}, crm::find_booking);
        releaser.ask_clock([&health] { return health.clock_trusted(); });
        releaser.tell_cases({.told = !options.ghl.pipeline.id.empty(), .outcomes = options.outcomes});
    }
    ~Parts() {
        well.measure({});
        well.expect({});
        mllp.reset();
        store->on_change({});
        well.detach();
    }

    Result<void> start(intake::MllpPorts ports, const Options& options, base::Vitals& vitals, const Clock& clock) {
        // Without their names senders still come in by the configuration's addresses.
        if (const auto loaded = store->read([this](records::Snapshot& session) { return feeds->load(session); });
            !loaded)
            log(Level::error, "clinicd: the feeds", loaded.error());
        well.attach(*store);
        store->on_change([this] {
            egress.wake();
            well.changed();
        });
        CLINIC_TRY(egress.start());
        housekeeping.start();
        integrity.start();
        auto server = intake::MllpServer::start(std::move(ports), intake_options(options, feeds, vitals), clock,
                                                [this, &clock](intake::Frame frame, intake::MllpServer::Answer answer) {
                                                    if (well.drained(health::Surface::mllp))
                                                        return turn_away(frame, answer, drained(), clock);
                                                    ingest.message(std::move(frame), std::move(answer));
                                                });
        CLINIC_TRY(server);
        mllp = std::move(server).value();
        well.measure([this] {
            auto all = measures(mllp->numbers(), ingest.numbers());
            for (auto& one : egress.numbers()) all.push_back(std::move(one));
            return all;
        });
        well.expect([this](const health::Feed& sender, Timestamp now) { return expected_of(*feeds, sender, now); });
        return {};
    }

    health::Health& well;
    std::shared_ptr<intake::Feeds> feeds;
    release::Releaser releaser;
    egress::Gate gate;
    intake::Ingest ingest;
    std::unique_ptr<records::Store> store;
    egress::EgressServer egress;
    Housekeeping housekeeping;
    Integrity integrity;
    std::unique_ptr<intake::MllpServer> mllp;
};

// In a mode without records: each message is answered AE, so that its sender keeps it. The senders' names are in the
// records, so only the addresses of the configuration come in.
Result<std::unique_ptr<intake::MllpServer>> turn_senders_away(intake::MllpPorts ports, const Options& options,
                                                              std::shared_ptr<intake::Feeds> feeds,
                                                              base::Vitals& vitals, const Clock& clock,
                                                              const std::atomic<Errc>& why) {
    return intake::MllpServer::start(
        std::move(ports), intake_options(options, std::move(feeds), vitals), clock,
        [&clock, &why](const intake::Frame& frame, const intake::MllpServer::Answer& answer) {
            turn_away(frame, answer, complaint_of(why), clock);
        });
}

} // namespace

class Doors::State {
public:
    // `tls`: null where MLLP by TLS is not served.
    State(const Options& options, const Sockets& sockets, std::shared_ptr<const intake::TlsContext> tls,
          std::shared_ptr<intake::Feeds> feeds, health::Health& health, const ContainmentReport& containment,
          ChangeDesk& changes, base::Vitals& vitals, const Clock& clock)
        : options_{options}, sockets_{sockets}, tls_{std::move(tls)}, feeds_{std::move(feeds)}, health_{health},
          containment_{containment}, changes_{changes}, vitals_{vitals}, clock_{clock},
          keys_{{.credential = options.credential,
                 .open = [this](const crypto::KeySlot& slot) { return open_again(slot); },
                 .try_now = [this] { try_now(); }},
                health,
                clock} {}
    // A walk that a command asked for would hold up the control socket.
    ~State() {
        trying_.request_stop();
        if (trying_.joinable()) trying_.join();
        if (parts_) parts_->housekeeping.request_stop();
        changes_.closed();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Result<void> start() {
        auto store = open_store();
        if (!store) say(store.error());
        const bool open = store.has_value();
        CLINIC_TRY(open ? serve_open(std::move(store).value()) : serve_closed());
        trying_ = std::jthread{[this, open](const std::stop_token& stop) { watch(stop, open); }};
        return {};
    }

private:
    // What is lost is looked for once: while the records say the same they are as they were.
    void say(const Error& why) {
        if (!why_ || why_->code != why.code || why_->what.c_str() != why.what.c_str()) {
            log(Level::error, "clinicd", why);
            lost_.clear();
            if (records::is_damage(why.code))
                if (const auto slot = crypto::KeySlot::from_credential_file(options_.credential))
                    lost_ = salvage::what_is_lost(options_.records, *slot);
        }
        why_ = why;
        closed_for_ = why.code;
        health_.records_closed(why, lost_);
    }

    Result<intake::MllpPorts> mllp_ports() const {
        auto plain = another(sockets_.mllp);
        CLINIC_TRY(plain);
        if (!tls_) return intake::MllpPorts{std::move(plain).value()};
        auto secured = another(sockets_.mllps);
        CLINIC_TRY(secured);
        return intake::MllpPorts{std::move(plain).value(), std::move(secured).value(), tls_};
    }

    Result<void> serve_open(std::unique_ptr<records::Store> store) {
        auto mllp = mllp_ports();
        CLINIC_TRY(mllp);
        auto egress = another(sockets_.egress);
        CLINIC_TRY(egress);
        control_.reset();
        closed_desk_.reset();
        closed_egress_.reset();
        parts_ = std::make_unique<Parts>(options_, std::move(egress).value(), std::move(store), feeds_, health_,
                                         vitals_, clock_, [this](const Error& why) { found_damage(why); });
        CLINIC_TRY(parts_->start(std::move(mllp).value(), options_, vitals_, clock_));
        keys_.opened(*parts_->store);
        changes_.opened(*parts_->store);
        auto all = commands(
            {*parts_->store, parts_->releaser, parts_->housekeeping, health_, containment_, *feeds_, parts_->ingest});
        all.merge(keys_.of_open(*parts_->store));
        all.merge(changes_.commands());
        return serve_operators(std::move(all));
    }

    Result<void> serve_closed() {
        auto mllp = mllp_ports();
        CLINIC_TRY(mllp);
        auto egress = another(sockets_.egress);
        CLINIC_TRY(egress);
        auto desk = turn_senders_away(std::move(mllp).value(), options_, feeds_, vitals_, clock_, closed_for_);
        CLINIC_TRY(desk);
        closed_desk_ = std::move(desk).value();
        closed_egress_ = std::make_unique<egress::EgressServer>(std::move(egress).value(),
                                                                egress_options(options_, vitals_), health_, clock_);
        CLINIC_TRY(closed_egress_->start());
        keys_.closed();
        auto all = commands(health_, containment_);
        all.merge(keys_.of_closed());
        all.merge(changes_.commands());
        return serve_operators(std::move(all));
    }

    Result<void> serve_operators(control::Commands commands) {
        auto socket = another(sockets_.control);
        CLINIC_TRY(socket);
        control_ = std::make_unique<control::ControlServer>(std::move(socket).value(), options_.operators,
                                                            std::move(commands));
        return control_->start();
    }

    Result<std::unique_ptr<records::Store>> open_store() {
        const auto slot = crypto::KeySlot::from_credential_file(options_.credential);
        if (!slot)
            return Error{slot.error().code,
                         slot.error().what,
                         "put this machine's key back, or open the records with the words on paper: clinicctl keys "
                         "recover",
                         {},
                         slot.error().native};
        const std::scoped_lock lock{keys_.opening()};
        return open_with(*slot);
    }

    Result<std::unique_ptr<records::Store>> open_with(const crypto::KeySlot& slot) {
        return daemon::open_store(options_, slot, vitals_, clock_, [this](const Error& why) { found_damage(why); });
    }

    // With what a person typed: never a new store.
    Result<std::unique_ptr<records::Store>> open_again(const crypto::KeySlot& slot) {
        std::error_code none;
        if (std::filesystem::exists(options_.records / "records.db", none)) return open_with(slot);
        return Error{Errc::not_found, "there are no records that could be opened",
                     "mount the records' disk; a new box gets its key first: docs/package.md"};
    }

    void try_now() {
        {
            const std::scoped_lock lock{telling_};
            try_now_ = true;
        }
        told_.notify_all();
    }

    // From a thread of the check's or the store's, which ends with the parts: it is told and not waited for.
    void found_damage(const Error& why) {
        {
            const std::scoped_lock lock{telling_};
            damage_ = why;
        }
        told_.notify_all();
    }

    // Open: waits for damage, and closes. Closed: tries again.
    void watch(const std::stop_token& stop, bool open) {
        while (!stop.stop_requested()) {
            std::unique_lock lock{telling_};
            if (open)
                told_.wait(lock, stop, [this] { return damage_.has_value(); });
            else
                told_.wait_for(lock, stop, try_again_after(why_->code), [this] { return try_now_; });
            try_now_ = false;
            if (stop.stop_requested()) return;
            const auto damage = std::exchange(damage_, std::nullopt);
            lock.unlock();
            if (open && damage) close_for(*damage); // of a store that is closed already: the next open sees it
            open = open ? !damage : opened();
        }
    }

    void close_for(const Error& why) {
        parts_->housekeeping.request_stop(); // a walk that a command asked for would hold up the control socket
        control_.reset();
        changes_.closed();
        parts_.reset();
        say(why);
        if (const auto closed = serve_closed(); !closed) log(Level::error, "clinicd", closed.error());
    }

    bool opened() {
        auto store = open_store();
        if (!store) {
            say(store.error());
            return false;
        }
        if (const auto served = serve_open(std::move(store).value()); !served) {
            say(served.error());
            control_.reset();
            changes_.closed();
            parts_.reset();
            if (const auto closed = serve_closed(); !closed) log(Level::error, "clinicd", closed.error());
            return false;
        }
        log(Level::notice, "clinicd", "the records are open");
        why_.reset();
        return true;
    }

    const Options& options_;
    const Sockets& sockets_;
    const std::shared_ptr<const intake::TlsContext> tls_;
    const std::shared_ptr<intake::Feeds> feeds_;
    health::Health& health_;
    const ContainmentReport& containment_;
    ChangeDesk& changes_;
    base::Vitals& vitals_;
    const Clock& clock_;
    std::optional<Error> why_; // they did not open
    std::string lost_;         // of them, where they are damaged
    std::atomic<Errc> closed_for_{Errc::locked};
    std::mutex telling_;
    std::condition_variable_any told_;
    std::optional<Error> damage_; // found while they were open; under telling_
    bool try_now_ = false;        // a slot was made that may fit; under telling_
    KeyDesk keys_;
    std::unique_ptr<Parts> parts_;
    std::unique_ptr<intake::MllpServer> closed_desk_;
    std::unique_ptr<egress::EgressServer> closed_egress_;
    std::unique_ptr<control::ControlServer> control_; // its commands speak to the parts: it goes first
    std::jthread trying_;                             // last: joined first
};

Doors::Doors(const Options& options, const Sockets& sockets, std::shared_ptr<const intake::TlsContext> tls,
             std::shared_ptr<intake::Feeds> feeds, health::Health& health, const ContainmentReport& containment,
             ChangeDesk& changes, base::Vitals& vitals, const Clock& clock)
    : state_{std::make_unique<State>(options, sockets, std::move(tls), std::move(feeds), health, containment, changes,
                                     vitals, clock)} {}

Doors::~Doors() = default;

Result<void> Doors::start() {
    return state_->start();
}

} // namespace clinic::daemon
