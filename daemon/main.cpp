// clinicd: reads as the list of its parts in the order they are made; read backwards, it is the shutdown.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <typeinfo>

#include "crypto/base/log.h"
#include "crypto/base/process.h"
#include "daemon/api/api_server.h"
#include "daemon/commands.h"
#include "daemon/containment/containment.h"
#include "daemon/containment_report.h"
#include "daemon/control/control_server.h"
#include "daemon/egress/egress_server.h"
#include "daemon/health/health.h"
#include "daemon/housekeeping.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/hl7_ack.h"
#include "daemon/intake/ingest.h"
#include "daemon/intake/mllp_server.h"
#include "daemon/intake/tls_session.h"
#include "daemon/intake_measures.h"
#include "daemon/options.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"
#include "systemd/listen_fds.h"
#include "systemd/notify.h"

namespace clinic::daemon {
namespace {

using base::Level;
using base::log;
using Loop = std::unique_ptr<sd_event, base::FreedBy<sd_event_unref>>;

constexpr const char* version = CLINIC_VERSION;

constexpr unsigned first_handed_fd = 3; // SD_LISTEN_FDS_START

struct Sockets {
    base::UniqueFd https, mllp, control, egress;
    base::UniqueFd mllps; // MLLP over TLS; may be absent
};

// What else a starter left open is closed.
Result<Sockets> take_sockets() {
    auto handed = systemd::listen_fds();
    CLINIC_TRY(handed);
    base::close_inherited(first_handed_fd + static_cast<unsigned>(handed->size()));
    Sockets sockets;
    for (auto& one : *handed) {
        if (one.name == "https")
            sockets.https = std::move(one.socket);
        else if (one.name == "mllp")
            sockets.mllp = std::move(one.socket);
        else if (one.name == "mllps")
            sockets.mllps = std::move(one.socket);
        else if (one.name == "control")
            sockets.control = std::move(one.socket);
        else if (one.name == "egress")
            sockets.egress = std::move(one.socket);
    }
    if (!sockets.https || !sockets.mllp || !sockets.control || !sockets.egress)
        return Error{Errc::not_found, "the sockets https, mllp, control and egress are not handed over",
                     "start clinicd by its socket units or by packaging/try"};
    return sockets;
}

// The port that a listening socket has; 0 for a UNIX socket.
unsigned short port_of(const base::UniqueFd& socket) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) return 0;
    if (own.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(own).sin_port);
    return own.ss_family == AF_INET6 ? ntohs(reinterpret_cast<const sockaddr_in6&>(own).sin6_port) : 0;
}

containment::Options containment_options(const Options& options, const Sockets& sockets) {
    containment::Options how{.become = {},
                             .peer = options.peer,
                             .records = options.records,
                             .credential = options.credential,
                             .ports = {port_of(sockets.https), port_of(sockets.mllp)}};
    if (sockets.mllps) how.ports.insert(port_of(sockets.mllps));
    if (options.user) how.become = containment::User{*options.user, static_cast<gid_t>(*options.user)};
    return how;
}

// The sockets of the self-test are gone when it returns; what it found of them is kept.
Result<std::vector<containment::Part>> contain(const containment::Options& how) {
    const auto probe = containment::Probe::make();
    CLINIC_TRY(probe);
    CLINIC_TRY(containment::enter(how));
    return containment::try_ways(*probe);
}

Result<std::unique_ptr<records::Store>> open_store(const Options& options, const Clock& clock) {
    const auto slot = crypto::KeySlot::from_credential_file(options.credential);
    CLINIC_TRY(slot);
    return records::Store::open({.folder = options.records}, *slot, clock);
}

// What the machine or a person may put right while we run; stored data that failed its check waits for a restore.
std::chrono::seconds try_again_after(Errc code) {
    const bool may_pass = code == Errc::full || code == Errc::locked || code == Errc::system || code == Errc::refused;
    return may_pass ? std::chrono::seconds{5} : std::chrono::seconds{60};
}

// Each server gets a duplicate of the socket that was handed over, so that one can follow the other.
Result<base::UniqueFd> another(const base::UniqueFd& socket) {
    base::UniqueFd made{fcntl(socket.get(), F_DUPFD_CLOEXEC, 0)};
    if (!made) return Error{Errc::system, "a listening socket cannot be duplicated", "", {}, errno};
    return made;
}

egress::GateOptions gate_options(const Options& options) {
    return {options.ghl, std::chrono::milliseconds{options.index_lag_ms}, std::chrono::milliseconds{options.late_ms}};
}

// Everything that needs the store: absent in the modes without one. Destroyed from the last to the first: senders are
// answered and sent away, then the store finishes what was posted, and only then goes what its jobs speak to.
struct Parts {
    Parts(const Options& options, base::UniqueFd egress_socket, std::unique_ptr<records::Store> opened,
          std::shared_ptr<intake::Feeds> named, health::Health& health, const Clock& clock)
        : well{health}, feeds{std::move(named)}, releaser{clock}, gate{gate_options(options), *opened, releaser},
          ingest{*opened, releaser, clock, feeds,
                 [&health](Literal code, Literal severity) { health.raise(code, severity); }},
          store{std::move(opened)},
          egress{std::move(egress_socket), {.peer = options.peer}, gate, *store, releaser, health, clock},
          housekeeping{*store, releaser, health, clock} {
        releaser.ask_clock([&health] { return health.clock_trusted(); });
    }
    ~Parts() {
        well.measure({});
        mllp.reset();
        store->on_change({});
        well.detach();
    }

    Result<void> start(intake::MllpPorts ports, const Clock& clock) {
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
        auto server = intake::MllpServer::start(std::move(ports), {.feeds = feeds}, clock,
                                                [this](intake::Frame frame, intake::MllpServer::Answer answer) {
                                                    ingest.message(std::move(frame), std::move(answer));
                                                });
        CLINIC_TRY(server);
        mllp = std::move(server).value();
        well.measure([this] { return measures(mllp->numbers(), ingest.numbers()); });
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
    std::unique_ptr<intake::MllpServer> mllp;
};

// In a mode without records: each message is answered AE, so that its sender keeps it. The senders' names are in the
// records, so only the addresses of the configuration come in.
Result<std::unique_ptr<intake::MllpServer>>
turn_senders_away(intake::MllpPorts ports, std::shared_ptr<intake::Feeds> feeds, const Clock& clock) {
    return intake::MllpServer::start(
        std::move(ports), {.feeds = std::move(feeds)}, clock,
        [&clock](const intake::Frame& frame, const intake::MllpServer::Answer& answer) {
            const auto header = intake::read_header(frame.bytes);
            answer(intake::answer(header ? std::optional{*header} : std::nullopt, intake::Outcome::failed,
                                  intake::Complaint{.text = "the records are closed, send it again later"},
                                  clock.now()));
        });
}

// The port by TLS needs a socket and a certificate. One without the other, or a certificate that cannot be used, costs
// that port alone. Called before the containment: the key may be root's to read.
Result<std::shared_ptr<const intake::TlsContext>> mllp_tls(const Sockets& sockets, const Options& options) {
    if (options.mllp_certificate.empty() && !sockets.mllps) return std::shared_ptr<const intake::TlsContext>{};
    if (options.mllp_certificate.empty() || !sockets.mllps)
        return Error{Errc::not_found, "MLLP by TLS needs its settings and its socket, and one of them is missing",
                     "set mllp.tls in the configuration and start the socket mllps, or take both away"};
    return intake::TlsContext::read(
        {.certificate = options.mllp_certificate, .key = options.mllp_key, .client_ca = options.mllp_client_ca});
}

void not_served(health::Health& health, Literal code, const Error& why) {
    log(Level::error, "clinicd", why);
    health.not_served(code, why);
}

// Who is served from the records. While they are closed: senders are answered AE, clinic-syncd hears the mode,
// clinicctl gets the status; and they are tried again until they open.
//   Threads: start and the destructor on the main thread; the trying has one of its own.
class Doors {
public:
    // `tls`: null where MLLP by TLS is not served.
    Doors(const Options& options, const Sockets& sockets, std::shared_ptr<const intake::TlsContext> tls,
          std::shared_ptr<intake::Feeds> feeds, health::Health& health, const ContainmentReport& containment,
          const Clock& clock)
        : options_{options}, sockets_{sockets}, tls_{std::move(tls)}, feeds_{std::move(feeds)}, health_{health},
          containment_{containment}, clock_{clock} {}
    // A walk that a command asked for would hold up the control socket.
    ~Doors() {
        trying_.request_stop();
        if (trying_.joinable()) trying_.join();
        if (parts_) parts_->housekeeping.request_stop();
    }
    Doors(const Doors&) = delete;
    Doors& operator=(const Doors&) = delete;

    Result<void> start() {
        auto store = open_store(options_, clock_);
        if (store) return serve_open(std::move(store).value());
        say(store.error());
        CLINIC_TRY(serve_closed());
        trying_ = std::jthread{[this](const std::stop_token& stop) { keep_trying(stop); }};
        return {};
    }

private:
    void say(const Error& why) {
        if (!why_ || why_->code != why.code || why_->what.c_str() != why.what.c_str())
            log(Level::error, "clinicd", why);
        why_ = why;
        health_.records_closed(why);
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
        parts_ =
            std::make_unique<Parts>(options_, std::move(egress).value(), std::move(store), feeds_, health_, clock_);
        CLINIC_TRY(parts_->start(std::move(mllp).value(), clock_));
        return serve_operators(commands(
            {*parts_->store, parts_->releaser, parts_->housekeeping, health_, containment_, *feeds_, parts_->ingest}));
    }

    Result<void> serve_closed() {
        auto mllp = mllp_ports();
        CLINIC_TRY(mllp);
        auto egress = another(sockets_.egress);
        CLINIC_TRY(egress);
        auto desk = turn_senders_away(std::move(mllp).value(), feeds_, clock_);
        CLINIC_TRY(desk);
        closed_desk_ = std::move(desk).value();
        closed_egress_ = std::make_unique<egress::EgressServer>(
            std::move(egress).value(), egress::ServerOptions{.peer = options_.peer}, health_, clock_);
        CLINIC_TRY(closed_egress_->start());
        return serve_operators(commands(health_, containment_));
    }

    Result<void> serve_operators(control::Commands commands) {
        auto socket = another(sockets_.control);
        CLINIC_TRY(socket);
        control_ = std::make_unique<control::ControlServer>(std::move(socket).value(), options_.operators,
                                                            std::move(commands));
        return control_->start();
    }

    void keep_trying(const std::stop_token& stop) {
        std::mutex sleeping;
        std::condition_variable_any woken;
        while (!stop.stop_requested()) {
            std::unique_lock lock{sleeping};
            woken.wait_for(lock, stop, try_again_after(why_->code), [] { return false; });
            if (stop.stop_requested() || opened()) return;
        }
    }

    bool opened() {
        auto store = open_store(options_, clock_);
        if (!store) {
            say(store.error());
            return false;
        }
        if (const auto served = serve_open(std::move(store).value()); !served) {
            say(served.error());
            control_.reset();
            parts_.reset();
            if (const auto closed = serve_closed(); !closed) log(Level::error, "clinicd", closed.error());
            return false;
        }
        log(Level::notice, "clinicd", "the records are open");
        return true;
    }

    const Options& options_;
    const Sockets& sockets_;
    const std::shared_ptr<const intake::TlsContext> tls_;
    const std::shared_ptr<intake::Feeds> feeds_;
    health::Health& health_;
    const ContainmentReport& containment_;
    const Clock& clock_;
    std::optional<Error> why_; // they did not open
    std::unique_ptr<Parts> parts_;
    std::unique_ptr<intake::MllpServer> closed_desk_;
    std::unique_ptr<egress::EgressServer> closed_egress_;
    std::unique_ptr<control::ControlServer> control_; // its commands speak to the parts: it goes first
    std::jthread trying_;                             // last: joined first
};

void block_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int one : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, one);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

// Answered for as long as the loop turns.
struct Watchdog {
    const systemd::Notifier& notifier;
    std::uint64_t every_us;
};

int still_here(sd_event_source* timer, std::uint64_t, void* about) {
    const auto& watchdog = *static_cast<const Watchdog*>(about);
    watchdog.notifier.watchdog();
    if (const int code = sd_event_source_set_time_relative(timer, watchdog.every_us); code < 0) return code;
    return sd_event_source_set_enabled(timer, SD_EVENT_ON);
}

Result<void> loop_until_told(const systemd::Notifier& notifier) {
    sd_event* made = nullptr;
    if (const int code = sd_event_default(&made); code < 0)
        return Error{Errc::system, "the event loop cannot be made", "", {}, -code};
    const Loop loop{made};
    for (const int one : {SIGTERM, SIGINT})
        if (const int code = sd_event_add_signal(loop.get(), nullptr, one, nullptr, nullptr); code < 0)
            return Error{Errc::system, "signals cannot be watched", "", {}, -code};
    Watchdog watchdog{notifier, static_cast<std::uint64_t>(notifier.watchdog_patience().count()) / 3};
    if (watchdog.every_us > 0)
        if (const int code = sd_event_add_time_relative(loop.get(), nullptr, CLOCK_MONOTONIC, watchdog.every_us, 0,
                                                        still_here, &watchdog);
            code < 0)
            return Error{Errc::system, "the watchdog's timer cannot be made", "", {}, -code};
    notifier.ready();
    log(Level::info, "clinicd", "ready");
    if (const int code = sd_event_loop(loop.get()); code < 0)
        return Error{Errc::system, "the event loop ended", "", {}, -code};
    notifier.stopping();
    return {};
}

Result<void> run(const Options& options) {
    auto sockets = take_sockets();
    CLINIC_TRY(sockets);
    auto tls = mllp_tls(*sockets, options);
    const auto notifier = systemd::Notifier::open();
    const auto how = containment_options(options, *sockets);
    auto tried = contain(how);
    CLINIC_TRY(tried);
    block_signals();

    const base::SystemClock clock;
    health::Health health{{.box = options.box, .version = version, .records = options.records}, clock};
    ContainmentReport containment{how, std::move(tried).value(), health};
    containment.look();
    auto feeds = intake::Feeds::make(options.mllp_allow);
    CLINIC_TRY(feeds);
    if (!tls) not_served(health, "E2014", tls.error());
    Doors doors{options, *sockets, tls ? *tls : nullptr, std::move(feeds).value(), health, containment, clock};
    CLINIC_TRY(doors.start());
    auto api = api::ApiServer::make(
        {.certificate = options.console_certificate, .key = options.console_key, .hosts = options.console_names},
        std::move(sockets->https), health);
    if (!api) not_served(health, "E2013", api.error()); // messages come in and go out without it
    return loop_until_told(notifier);
}

} // namespace
} // namespace clinic::daemon

int main(int count, char** arguments) {
    using namespace clinic;
    try {
        if (count != 3 || std::string_view{arguments[1]} != "--config") {
            std::fputs("usage: clinicd --config FILE\n", stderr);
            return 2;
        }
        if (!crypto::start()) return 1;
        const auto options = daemon::read_options(arguments[2]);
        if (!options) return 2;
        setenv("TZ", options->zone.c_str(), 1);
        tzset();
        const auto ended = daemon::run(*options);
        if (ended) return 0;
        base::log(base::Level::error, "clinicd", ended.error());
        return 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "<3>clinicd: stopped by %s\n", typeid(error).name());
        return 1;
    }
}
