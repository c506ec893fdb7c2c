// clinic-relay: takes GHL's webhooks where the world can reach it, and tells each box what of them it may hear.
#include <signal.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <optional>
#include <thread>

#include "crypto/base/log.h"
#include "crypto/base/no_memory.h"
#include "crypto/base/process.h"
#include "crypto/base/vitals.h"
#include "crypto/key_slot.h"
#include "sync/relay/options.h"
#include "systemd/heartbeat.h"
#include "systemd/listen_fds.h"
#include "systemd/notify.h"

namespace {

using namespace clinic;
using base::Level;
using relay::Verdict;

constexpr int exit_usage = 64, exit_configuration = 78; // sysexits.h
constexpr std::chrono::seconds accept_beat_max{30}, broker_beat_max{60};
constexpr timespec turn{1, 0}; // how often overdue guests are looked for
constexpr int turns_between_said = 60;
constexpr const char* usage = "usage: clinic-relay --config FILE [--name NAME] [--check]\n";

struct Arguments {
    const char* config = nullptr;
    std::string name;
    bool check = false;
};

std::optional<Arguments> read_arguments(int count, char** values) {
    Arguments out;
    for (int i = 1; i < count; ++i) {
        const std::string_view option = values[i];
        if (option == "--check")
            out.check = true;
        else if (option == "--config" && i + 1 < count)
            out.config = values[++i];
        else if (option == "--name" && i + 1 < count)
            out.name = values[++i];
        else
            return std::nullopt;
    }
    return out.config != nullptr ? std::optional{out} : std::nullopt;
}

// Handed over by the service manager, or our own.
Result<base::UniqueFd> door_socket(const relay::Options& options) {
    auto handed = systemd::listen_fds();
    CLINIC_TRY(handed);
    if (handed->empty()) return relay::listen_at(options.address, options.port);
    if (handed->size() > 1)
        return Error{Errc::refused, "more than one socket is handed over", "give the unit one listening socket"};
    return std::move(handed->front().socket);
}

// What came since the last line, by what became of it; no line where nothing came.
class Said {
public:
    void say(const relay::Reception& reception, const relay::Door& door) {
        const auto now = reception.counts();
        const auto refused = door.refused();
        const auto since = [&](Verdict one) {
            const auto i = static_cast<std::size_t>(one);
            return now.at(i) - before_.at(i);
        };
        if (now != before_ || refused != refused_)
            base::log(Level::info, "relay", "webhooks of the last minute",
                      {{"published", since(Verdict::published)},
                       {"again", since(Verdict::again)},
                       {"not_told", since(Verdict::not_told)},
                       {"incomplete", since(Verdict::incomplete)},
                       {"unsigned", since(Verdict::unsigned_)},
                       {"unreadable", since(Verdict::unreadable)},
                       {"not_ours", since(Verdict::not_ours)},
                       {"stale", since(Verdict::stale)},
                       {"under_way", since(Verdict::under_way)},
                       {"held_up", since(Verdict::held_up)},
                       {"refused_by_head", refused - refused_},
                       {"remembered", static_cast<std::int64_t>(reception.replays().size())}});
        before_ = now;
        refused_ = refused;
    }

private:
    std::array<std::int64_t, relay::verdict_count> before_{};
    std::int64_t refused_ = 0;
};

int fail(const Error& error, int code) {
    base::log(Level::error, "relay", error);
    return code;
}

int run(const relay::Options& options, relay::Signature signature, const sigset_t& signals) {
    const auto notifier = systemd::Notifier::open();
    const base::SystemClock clock;
    base::Vitals vitals{clock};
    relay::Publisher publisher{{.broker = options.broker,
                                .name = options.name,
                                .waiting_max = static_cast<std::size_t>(options.door.threads_max) / 2},
                               vitals.join("the publisher", broker_beat_max)};
    relay::Reception reception{options.reception, std::move(signature), publisher, clock};
    auto door_options = options.door;
    door_options.accepting = vitals.join("the accept thread", accept_beat_max);
    auto door = relay::Door::make(door_options, reception, [&publisher] { return publisher.is_up(); });
    if (!door) return fail(door.error(), exit_configuration);
    auto socket = door_socket(options);
    if (!socket) return fail(socket.error(), exit_configuration);
    const std::jthread publishing{[&publisher](std::stop_token stop) { publisher.run(std::move(stop)); }};
    if (const auto serving = (*door)->serve(std::move(*socket)); !serving) return fail(serving.error(), 1);

    notifier.ready();
    base::log(Level::notice, "relay", "started",
              {{"locations", static_cast<std::int64_t>(options.reception.boxes.size())}});
    systemd::Heartbeat heart{notifier, vitals, "relay"};
    Said said;
    for (int turns = 1; sigtimedwait(&signals, nullptr, &turn) < 0; ++turns) {
        (*door)->look();
        heart.beat();
        if (turns % turns_between_said == 0) said.say(reception, **door);
    }
    notifier.stopping();
    door->reset(); // who is in is served while the broker is still there
    return 0;
}

int start(const Arguments& arguments, const sigset_t& signals) {
    if (!crypto::start()) return base::log(Level::error, "relay", "libsodium does not start"), 1;
    if (const auto closed = base::close_dumps(); !closed) return fail(closed.error(), 1);
    const auto options = relay::read_options(arguments.config, arguments.name);
    if (!options) return fail(options.error(), exit_configuration);
    auto signature = relay::Signature::make(options->keys);
    if (!signature) return fail(signature.error(), exit_configuration);
    if (arguments.check) {
        std::printf("clinic-relay: the configuration holds: %zu locations, listening at %s port %d, %s\n",
                    options->reception.boxes.size(), options->address.c_str(), options->port,
                    options->keys.legacy.empty() ? "Ed25519 alone" : "Ed25519, and RSA where it is not there");
        return 0;
    }
    const int code = run(*options, std::move(*signature), signals);
    base::log(Level::notice, "relay", "stopped");
    return code;
}

} // namespace

int main(int count, char** values) {
    const auto signals = base::block_signals({SIGTERM, SIGINT});
    base::say_when_memory_ends("relay");
    const auto arguments = read_arguments(count, values);
    if (!arguments) {
        std::fputs(usage, stderr);
        return exit_usage;
    }
    try {
        return start(*arguments, signals);
    } catch (const std::exception&) {
        base::log(Level::error, "relay", "stopped by an exception that should not have come this far");
        return 1;
    }
}
