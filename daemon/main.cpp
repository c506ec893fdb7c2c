// clinicd: reads as the list of its parts in the order they are made; read backwards, it is the shutdown.
#include <signal.h>
#include <systemd/sd-event.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <memory>
#include <optional>
#include <string_view>
#include <typeinfo>

#include "crypto/base/log.h"
#include "crypto/base/no_memory.h"
#include "crypto/base/process.h"
#include "crypto/base/vitals.h"
#include "daemon/api/api_server.h"
#include "daemon/change_desk.h"
#include "daemon/containment/containment.h"
#include "daemon/containment/descriptors/descriptors.h"
#include "daemon/containment_report.h"
#include "daemon/doors.h"
#include "daemon/health/health.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/tls_session.h"
#include "daemon/on_the_bus.h"
#include "daemon/options.h"
#include "daemon/sockets.h"
#include "systemd/heartbeat.h"
#include "systemd/notify.h"

namespace clinic::daemon {
namespace {

using base::Level;
using base::log;
using Loop = std::unique_ptr<sd_event, base::FreedBy<sd_event_unref>>;

constexpr const char* version = CLINIC_VERSION;
constexpr std::chrono::seconds accept_beat_max{30}, look_beat_max{120}; // a look asks the store

containment::Options containment_options(const Options& options, const Sockets& sockets) {
    containment::Options how{
        .become = {},
        .peer = options.peer,
        .records = options.records,
        .credential = options.credential,
        .ports = {port_of(sockets.https), port_of(sockets.mllp)},
        .doors = {containment::name_of(sockets.control.get()), containment::name_of(sockets.egress.get())}};
    if (sockets.mllps) how.ports.insert(port_of(sockets.mllps));
    if (options.user) how.become = containment::User{*options.user, static_cast<gid_t>(*options.user)};
    return how;
}

// The sockets of the self-test are gone when it returns; what it found of them is kept.
struct Contained {
    std::vector<containment::Part> tried;
    std::optional<systemd::Bus> bus;
};
Result<Contained> contain(containment::Options& how) {
    const auto probe = containment::Probe::make();
    CLINIC_TRY(probe);
    Contained contained;
    CLINIC_TRY(containment::enter(how, [&] {
        auto bus = systemd::Bus::open();
        if (bus)
            contained.bus = std::move(*bus);
        else // a machine may have none
            log(Level::notice, "clinicd", bus.error());
    }));
    if (contained.bus) how.bus = containment::peer_name_of(contained.bus->socket());
    contained.tried = containment::try_ways(*probe);
    return contained;
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

// Answered for as long as the loop turns and every worker that the box cannot do without checks in.
struct Watchdog {
    systemd::Heartbeat heart;
    std::uint64_t every_us;
};

int still_here(sd_event_source* timer, std::uint64_t, void* about) {
    auto& watchdog = *static_cast<Watchdog*>(about);
    watchdog.heart.beat();
    if (const int code = sd_event_source_set_time_relative(timer, watchdog.every_us); code < 0) return code;
    return sd_event_source_set_enabled(timer, SD_EVENT_ON);
}

Result<void> loop_until_told(const systemd::Notifier& notifier, base::Vitals& vitals) {
    sd_event* made = nullptr;
    if (const int code = sd_event_default(&made); code < 0)
        return Error{Errc::system, "the event loop cannot be made", "", {}, -code};
    const Loop loop{made};
    for (const int one : {SIGTERM, SIGINT})
        if (const int code = sd_event_add_signal(loop.get(), nullptr, one, nullptr, nullptr); code < 0)
            return Error{Errc::system, "signals cannot be watched", "", {}, -code};
    Watchdog watchdog{{notifier, vitals, "clinicd"},
                      static_cast<std::uint64_t>(notifier.watchdog_patience().count()) / 3};
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

Result<void> run(const Options& options, const std::filesystem::path& settings) {
    auto sockets = take_sockets();
    CLINIC_TRY(sockets);
    auto tls = mllp_tls(*sockets, options);
    const auto notifier = systemd::Notifier::open();
    auto how = containment_options(options, *sockets);
    auto contained = contain(how);
    CLINIC_TRY(contained);
    base::block_signals({SIGTERM, SIGINT, SIGHUP});

    const base::SystemClock clock;
    base::Vitals vitals{clock};
    health::Health health{
        {.box = options.box,
         .version = version,
         .records = options.records,
         .dry_run = options.dry_run,
         .checked_hourly = notifier.watchdog_patience().count() > 0}, // its unit has a timer beside it
        clock};
    ContainmentReport containment{how, std::move(contained->tried), health};
    containment.look();
    auto feeds = intake::Feeds::make(options.mllp_allow);
    CLINIC_TRY(feeds);
    if (!tls) not_served(health, "E2014", tls.error());
    ChangeDesk changes{{health, **feeds, options, settings}, clock};
    Doors doors{options, *sockets, tls ? *tls : nullptr, *feeds, health, containment, changes, vitals, clock};
    CLINIC_TRY(doors.start());
    auto api = api::ApiServer::make({.certificate = options.console_certificate,
                                     .key = options.console_key,
                                     .authority = options.console_authority,
                                     .hosts = options.console_names,
                                     .accepting = vitals.join("the page's accept thread", accept_beat_max),
                                     .telling = vitals.join("the page's live events", look_beat_max)},
                                    std::move(sockets->https), health);
    if (!api) not_served(health, "E2013", api.error()); // messages come in and go out without it
    const auto on_the_bus = join_bus(std::move(contained->bus), {health, containment, changes});
    return loop_until_told(notifier, vitals);
}

} // namespace
} // namespace clinic::daemon

int main(int count, char** arguments) {
    using namespace clinic;
    base::say_when_memory_ends("clinicd");
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
        const auto ended = daemon::run(*options, arguments[2]);
        if (ended) return 0;
        base::log(base::Level::error, "clinicd", ended.error());
        return 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "<3>clinicd: stopped by %s\n", typeid(error).name());
        return 1;
    }
}
