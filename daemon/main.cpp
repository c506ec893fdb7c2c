// clinicd: reads as the list of its parts in the order they are made; read backwards, it is the shutdown.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <memory>
#include <string_view>
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
#include "daemon/intake/hl7_ack.h"
#include "daemon/intake/ingest.h"
#include "daemon/intake/mllp_server.h"
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

health::Mode mode_of(const Error& error) {
    switch (error.code) {
    case Errc::locked: return health::Mode::locked;
    case Errc::full: return health::Mode::full;
    default: return health::Mode::damaged;
    }
}

egress::GateOptions gate_options(const Options& options) {
    return {options.ghl, std::chrono::milliseconds{options.index_lag_ms}, std::chrono::milliseconds{options.late_ms}};
}

// Everything that needs the store: absent in the modes without one. Destroyed from the last to the first: senders are
// answered and sent away, then the store finishes what was posted, and only then goes what its jobs speak to.
struct Parts {
    Parts(const Options& options, base::UniqueFd egress_socket, std::unique_ptr<records::Store> opened,
          health::Health& health, const Clock& clock)
        : well{health}, releaser{clock}, gate{gate_options(options), *opened, releaser},
          ingest{*opened,
                 releaser,
                 clock,
                 {},
                 [&health](Literal code, Literal severity) { health.raise(code, severity); }},
          store{std::move(opened)},
          egress{std::move(egress_socket), {.peer = options.peer}, gate, *store, releaser, health, clock},
          housekeeping{*store, releaser, health, clock} {}
    ~Parts() {
        mllp.reset();
        store->on_change({});
        well.detach();
    }

    Result<void> start(base::UniqueFd mllp_socket, const Options& options, const Clock& clock) {
        well.attach(*store);
        store->on_change([this] {
            egress.wake();
            well.changed();
        });
        CLINIC_TRY(egress.start());
        housekeeping.start();
        auto server =
            intake::MllpServer::start(std::move(mllp_socket), {.allowed = options.mllp_allow}, clock,
                                      [this](std::string message, bool damaged, intake::MllpServer::Answer answer) {
                                          ingest.message(std::move(message), damaged, std::move(answer));
                                      });
        CLINIC_TRY(server);
        mllp = std::move(server).value();
        return {};
    }

    health::Health& well;
    release::Releaser releaser;
    egress::Gate gate;
    intake::Ingest ingest;
    std::unique_ptr<records::Store> store;
    egress::EgressServer egress;
    Housekeeping housekeeping;
    std::unique_ptr<intake::MllpServer> mllp;
};

// In a mode without records: each message is answered AE, so that its sender keeps it.
Result<std::unique_ptr<intake::MllpServer>> turn_senders_away(base::UniqueFd socket, const Options& options,
                                                              const Clock& clock) {
    return intake::MllpServer::start(
        std::move(socket), {.allowed = options.mllp_allow}, clock,
        [&clock](const std::string& message, bool, const intake::MllpServer::Answer& answer) {
            const auto header = intake::read_header(message);
            answer(intake::answer(header ? std::optional{*header} : std::nullopt, intake::Outcome::failed,
                                  intake::Complaint{.text = "the records are closed, send it again later"},
                                  clock.now()));
        });
}

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
    const auto notifier = systemd::Notifier::open();
    const auto how = containment_options(options, *sockets);
    auto tried = contain(how);
    CLINIC_TRY(tried);
    block_signals();

    const base::SystemClock clock;
    health::Health health{{.box = options.box, .version = version, .records = options.records}, clock};
    ContainmentReport containment{how, std::move(tried).value(), health};
    containment.look();
    std::unique_ptr<Parts> parts;
    std::unique_ptr<intake::MllpServer> closed_desk;
    if (auto store = open_store(options, clock); store) {
        parts = std::make_unique<Parts>(options, std::move(sockets->egress), std::move(store).value(), health, clock);
        CLINIC_TRY(parts->start(std::move(sockets->mllp), options, clock));
    } else {
        log(Level::error, "clinicd", store.error());
        health.set_mode(mode_of(store.error()), store.error());
        auto desk = turn_senders_away(std::move(sockets->mllp), options, clock);
        CLINIC_TRY(desk);
        closed_desk = std::move(desk).value();
    }
    control::ControlServer control{
        std::move(sockets->control), options.operators,
        parts ? commands({*parts->store, parts->releaser, parts->housekeeping, health, containment})
              : commands(health, containment)};
    CLINIC_TRY(control.start());
    auto api = api::ApiServer::make(
        {.certificate = options.console_certificate, .key = options.console_key, .hosts = options.console_names},
        std::move(sockets->https), health);
    CLINIC_TRY(api);
    const auto ended = loop_until_told(notifier);
    if (parts) parts->housekeeping.request_stop(); // a walk that a command asked for would hold up the control socket
    return ended;
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
