// clinic-observer: answers at the page's port when clinicd does not, so that whoever looks learns why and what to do.
#include <signal.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <exception>

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "crypto/base/no_memory.h"
#include "crypto/base/process.h"
#include "crypto/base/vitals.h"
#include "crypto/certificates/certificates.h"
#include "daemon/https/https_server.h"
#include "daemon/observer/door.h"
#include "daemon/observer/notice.h"
#include "daemon/observer/watch.h"
#include "systemd/heartbeat.h"
#include "systemd/listen_fds.h"
#include "systemd/notify.h"

namespace {

using namespace clinic;
using base::Level;

constexpr int exit_usage = 64;
constexpr std::size_t certificate_bytes_max = 65'536;
constexpr std::chrono::seconds accept_beat_max{30};
constexpr timespec turn{1, 0}; // how often overdue guests are looked for
constexpr int workers = 32;

// clinicd's settings may be what ails it, so the names are the certificate's.
std::vector<std::string> names_in(const std::filesystem::path& certificate) {
    const auto pem = base::read_text(certificate, certificate_bytes_max);
    if (!pem) return {};
    const auto about = certificates::look(*pem);
    return about ? about->names.dns : std::vector<std::string>{};
}

Result<base::UniqueFd> page_socket() {
    auto handed = systemd::listen_fds();
    CLINIC_TRY(handed);
    if (handed->size() != 1 || handed->front().name != "https")
        return Error{Errc::not_found, "the socket https is not handed over, or not alone",
                     "start clinic-observer by its unit: Sockets=clinic-edge-https.socket"};
    return std::move(handed->front().socket);
}

Result<void> run(const char* certificate, const char* key, const sigset_t& signals) {
    auto socket = page_socket();
    CLINIC_TRY(socket);
    const auto notifier = systemd::Notifier::open();
    const base::SystemClock clock;
    base::Vitals vitals{clock};
    observer::Watch watch{{}, clock};
    observer::Door door{[&] { return watch.look(); }, clock};
    observer::Notice notice{[&] { return watch.look(); }};
    auto server = https::HttpsServer::make({.certificate = certificate,
                                            .key = key,
                                            .hosts = names_in(certificate),
                                            .threads_max = workers,
                                            .connections_per_network_max = workers / 2,
                                            .other_descriptors = workers,
                                            .keep_alive = false,
                                            .accepting = vitals.join("the accept thread", accept_beat_max),
                                            .may_accept = [&] { return door.may_accept(); }},
                                           notice);
    CLINIC_TRY(server);
    CLINIC_TRY((*server)->serve(std::move(*socket)));
    notifier.ready();
    systemd::Heartbeat heart{notifier, vitals, "observer"};
    while (sigtimedwait(&signals, nullptr, &turn) < 0) {
        (*server)->connections().end_overdue(std::chrono::steady_clock::now());
        heart.beat();
    }
    notifier.stopping();
    return {};
}

} // namespace

int main(int count, char** arguments) {
    const auto signals = base::block_signals({SIGTERM, SIGINT});
    base::say_when_memory_ends("observer");
    if (count != 5 || std::strcmp(arguments[1], "--certificate") != 0 || std::strcmp(arguments[3], "--key") != 0) {
        base::log(Level::error, "observer", "usage: clinic-observer --certificate FILE --key FILE");
        return exit_usage;
    }
    try {
        const auto ended = run(arguments[2], arguments[4], signals);
        if (ended) return 0;
        base::log(Level::error, "observer", ended.error());
    } catch (const std::exception&) {
        base::log(Level::error, "observer", "stopped by an exception that should not have come this far");
    }
    return 1;
}
