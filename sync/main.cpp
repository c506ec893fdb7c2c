// clinic-syncd: the process with a network and without patient data.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <sys/resource.h>
#include <system_error>
#include <thread>
#include <vector>

#include "crypto/base/log.h"
#include "crypto/base/no_memory.h"
#include "crypto/base/owned.h"
#include "crypto/base/process.h"
#include "crypto/base/vitals.h"
#include "crypto/key_slot.h"
#include "sync/channel/ghl/ghl_channel.h"
#include "sync/channel/mqtt/mqtt_link.h"
#include "sync/channel/mqtt/relay_link.h"
#include "sync/channel/otlp/exporter.h"
#include "sync/diagnose/desk.h"
#include "sync/lane/keeper.h"
#include "sync/lane/lookout.h"
#include "sync/lane/rate_file.h"
#include "sync/lane/worker.h"
#include "sync/location_answer.h"
#include "sync/options.h"
#include "systemd/heartbeat.h"
#include "systemd/notify.h"

namespace {

using namespace clinic;
using base::Level;

constexpr int exit_usage = 64, exit_configuration = 78; // sysexits.h
constexpr rlim_t descriptors_of_our_own = 66;
constexpr rlim_t descriptors_a_worker = 3; // to clinicd, to GHL, and what wakes it
// The longest between two beats: what a thread waits for has a bound of its own, and these lie well above it.
constexpr std::chrono::seconds beat_max{60}, link_beat_max{180};
constexpr std::chrono::seconds authorized_probe_max{7};
constexpr int surveyed_max = 12; // requests of one look, one after another

// The records must be closed to us: asked of the kernel, and said either way.
void look_at_records(const std::filesystem::path& records) {
    if (records.empty()) return;
    const base::UniqueFd folder{open(records.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const int why = errno;
    if (!folder && (why == EACCES || why == ENOENT || why == EPERM))
        base::log(Level::info, "syncd", "the records are closed to this user");
    else
        base::log(Level::warning, "syncd",
                  "the records folder can be opened by this user: run clinic-syncd as its own");
}

// With fewer it would come up, and fail here and there.
Result<void> expect_descriptors(rlim_t wanted) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
        return Error{Errc::full, "this program may open too few files", "raise its LimitNOFILE= (ulimit -n)"};
    return {};
}

// As many requests at a time as there are threads that make them.
lane::RateLimits rate_limits(const sync::Options& options) {
    auto limits = options.ghl->rate;
    limits.under_way_max = options.workers + 4; // the prober, the surveyor, the polling, and who asks at the desk
    return limits;
}

// The way to GHL: one rate, one lane, one prober, one lookout, some workers. Members in order of need.
class Crm {
public:
    struct Means {
        const sync::Options& options;
        ghl::GhlClient& client;
        lane::Board& board;
        base::Vitals& vitals;
        const Clock& clock;
        trace::SpanQueue* spans; // null: nobody traces
    };
    Crm(const Means& means, lane::SealedFile rate)
        : options_{means.options}, rules_{options_.ghl->rules}, board_{means.board},
          call_beat_max_{options_.ghl->client.connect_max + options_.ghl->client.call_max + beat_max},
          rate_{std::move(rate), rules_.location}, budget_{means.clock, rate_limits(options_), rate_.read()},
          surveyor_{{means.client, budget_, rules_, means.board, means.clock},
                    options_.egress,
                    {},
                    means.vitals.join("the surveyor of GHL's location", surveyed_max * call_beat_max_)},
          channel_{means.client, rules_, budget_, {}, &surveyor_, &means.board}, lane_{means.clock, means.board} {
        means.board.requests_of_day([this] { return budget_.said_of_day(); });
        means.client.on_date([&board = means.board](Timestamp at) { board.https_date(at); });
        threads_.emplace_back([this](std::stop_token stop) { surveyor_.run(std::move(stop)); });
        prober_.emplace(options_.egress, rules_, lane_, channel_,
                        means.vitals.join("the prober of GHL", call_beat_max_), [this] { rate_.keep(budget_.day()); });
        threads_.emplace_back([this](std::stop_token stop) { prober_->run(std::move(stop)); });
        lookout_.emplace(lane_, means.board, channel_, means.clock, lane::LookoutTimes{},
                         means.vitals.join("the lookout for GHL", call_beat_max_));
        threads_.emplace_back([this](std::stop_token stop) { lookout_->run(std::move(stop)); });
        for (int i = 0; i < options_.workers; ++i)
            threads_.emplace_back([this, spans = means.spans,
                                   pulse = means.vitals.join("a worker of GHL", call_beat_max_)](std::stop_token stop) {
                lane::WorkerOptions how{.egress = options_.egress, .budget = &budget_, .pulse = pulse, .spans = spans};
                lane::Worker{std::move(how), rules_, lane_, channel_}.run(std::move(stop));
            });
    }
    ~Crm() {
        threads_.clear(); // joined: nobody asks any more
        board_.requests_of_day({});
        rate_.keep(budget_.day());
    }
    lane::Lane& lane() { return lane_; }
    // Asks GHL what has changed, besides.
    void poll(lane::SealedFile marks, base::Vitals& vitals, const Clock& clock) {
        auto opened = poll::Marks::open(std::move(marks), rules_.location);
        if (!opened) return base::log(Level::error, "syncd", opened.error());
        marks_.emplace(std::move(*opened));
        auto how = *options_.ghl->polling;
        how.egress = options_.egress;
        how.pulse = vitals.join("the polling of GHL", call_beat_max_);
        poller_.emplace(std::move(how), rules_, lane_, channel_, *marks_, clock);
        threads_.emplace_back([this](std::stop_token stop) { poller_->run(std::move(stop)); });
    }
    void look(envelope::CrmKind kind) {
        if (poller_) poller_->look(kind);
    }
    ghl::Surveyor& surveyor() { return surveyor_; }
    void request_stop() {
        for (auto& thread : threads_) thread.request_stop();
    }

private:
    const sync::Options& options_;
    const envelope::WriteRules& rules_;
    lane::Board& board_;
    const base::Micros call_beat_max_;
    lane::RateFile rate_;
    lane::RateBudget budget_;
    ghl::Surveyor surveyor_;
    ghl::GhlChannel channel_;
    lane::Lane lane_;
    std::optional<lane::Prober> prober_;
    std::optional<lane::Lookout> lookout_;
    std::optional<poll::Marks> marks_;
    std::optional<poll::Poller> poller_;
    std::vector<std::jthread> threads_; // last: joined first
};

std::optional<diagnose::Far> far_of(const std::optional<sync::GhlOptions>& ghl) {
    if (!ghl) return std::nullopt;
    return diagnose::Far{ghl->client.host, ghl->client.port, ghl->client.ca};
}

std::optional<diagnose::Far> far_of(const std::optional<mqtt::BrokerOptions>& broker) {
    if (!broker) return std::nullopt;
    return diagnose::Far{broker->host, broker->port, broker->ca};
}

const char* word(ghl::Grant::State state) {
    switch (state) {
    case ghl::Grant::State::none: return "none";
    case ghl::Grant::State::works: return "works";
    case ghl::Grant::State::untried: return "untried";
    case ghl::Grant::State::dead: break;
    }
    return "dead";
}

// How GHL lets us in. An authorization is given to GHL at once; where it is taken, the lane is probed with it.
diagnose::GrantSaid grant_said(const sync::Options& options, ghl::GhlClient* client, const Clock& clock,
                               const diagnose::GrantQuestion& question, const std::stop_token& stop) {
    diagnose::GrantSaid said;
    if (client == nullptr) return said;
    if (question.code)
        if (const auto taken = client->authorize(*question.code, stop); !taken)
            said.why = taken.error().what.c_str(), said.remedy = taken.error().remedy.c_str();
    const auto now = client->grant();
    said.way = now ? "grant" : "token";
    if (!now) return said;
    said.state = word(now->state);
    said.minutes_left = std::max<std::int64_t>(0, (now->expires - clock.now()).count() / 60'000'000);
    said.address = ghl::authorize_address(*options.ghl->client.oauth);
    for (const auto& one : now->missing) said.missing.emplace_back(one.scope.c_str(), one.feature.c_str());
    return said;
}

// Where clinicctl asks how the ways out are. Without its socket all the rest goes on.
class Enquiries {
public:
    Enquiries(const sync::Options& options, const lane::Board& board, const Clock& clock, std::optional<Crm>& crm,
              ghl::GhlClient* client)
        : desk_{{.socket = options.diagnose, .ghl = far_of(options.ghl), .mqtt = far_of(options.mqtt), .bounds = {}},
                board,
                clock,
                [&crm](base::Micros span, std::stop_token stop) {
                    return crm && crm->lane().probe_and_wait(span, std::move(stop));
                },
                [&options, &clock, &crm, client](const diagnose::GrantQuestion& question, const std::stop_token& stop) {
                    auto said = grant_said(options, client, clock, question, stop);
                    if (crm && question.code && said.why.empty())
                        crm->lane().probe_and_wait(authorized_probe_max, stop);
                    return said;
                },
                [&options, &crm](bool make, const std::stop_token& stop) {
                    if (!crm) return diagnose::LocationSaid{};
                    return sync::location_answer(
                        options.ghl->rules,
                        crm->surveyor().look(make ? ghl::Extent::all_and_make : ghl::Extent::all, stop));
                }} {
        if (const auto open = desk_.open(); open)
            thread_ = std::jthread{[this](std::stop_token stop) { desk_.run(std::move(stop)); }};
        else
            base::log(Level::warning, "syncd", open.error());
    }

private:
    diagnose::Desk desk_;
    std::jthread thread_;
};

// Where an OAuth grant is kept, sealed; nothing where a token is configured.
Result<std::optional<lane::SealedFile>> grant_file(const sync::Options& options) {
    if (!options.ghl->client.oauth) return std::optional<lane::SealedFile>{};
    auto slot = crypto::KeySlot::from_credential_file(options.credential);
    if (!slot) return slot.error();
    return std::optional{
        lane::SealedFile{options.state / "grant.sealed", std::move(*slot), "clinic-syncd GHL grant 1"}};
}

// Its tokens are nobody else's either: no dumps, no privileges, nothing that a starter left open.
Result<void> harden() {
    base::close_inherited(STDERR_FILENO + 1);
    base::bound_capabilities();
    CLINIC_TRY(base::drop_capabilities());
    return base::close_dumps();
}

// Until a signal says that it is over; meanwhile the watchdog is fed.
void wait_for_the_end(const sigset_t& signals, const systemd::Notifier& notifier, base::Vitals& vitals) {
    const auto patience = notifier.watchdog_patience() / 3;
    if (patience.count() == 0) {
        int received = 0;
        sigwait(&signals, &received);
        return;
    }
    systemd::Heartbeat heart{notifier, vitals, "syncd"};
    const timespec span{patience.count() / 1'000'000, patience.count() % 1'000'000 * 1'000};
    while (sigtimedwait(&signals, nullptr, &span) < 0) {
        if (errno == EAGAIN) heart.beat();
    }
}

int run(const sync::Options& options, const sigset_t& signals) {
    if (const auto hard = harden(); !hard) return base::log(Level::error, "syncd", hard.error()), 1;
    const auto wanted = descriptors_of_our_own + descriptors_a_worker * static_cast<rlim_t>(options.workers);
    if (const auto enough = expect_descriptors(wanted); !enough)
        return base::log(Level::error, "syncd", enough.error(), {{"wanted", static_cast<std::int64_t>(wanted)}}),
               exit_configuration;
    const auto notifier = systemd::Notifier::open();
    const base::SystemClock clock;
    base::Vitals vitals{clock};
    auto slot = crypto::KeySlot::from_credential_file(options.credential);
    if (!slot) return base::log(Level::error, "syncd", slot.error()), exit_configuration;
    auto numbers = lane::StateFile::open(options.state, std::move(*slot), clock);
    if (!numbers) return base::log(Level::error, "syncd", numbers.error()), exit_configuration;
    look_at_records(options.records);

    lane::Board board{clock};
    trace::SpanQueue spans{clock};
    std::unique_ptr<otlp::Exporter> exporter;
    std::jthread exporter_thread;
    if (options.traces) {
        auto made = otlp::Exporter::make({.host = options.traces->host,
                                          .port = options.traces->port,
                                          .ca = options.traces->ca,
                                          .box = options.box,
                                          .pulse = vitals.join("the exporter of traces", beat_max)},
                                         spans);
        if (!made) return base::log(Level::error, "syncd", made.error()), exit_configuration;
        exporter = std::move(*made);
        exporter_thread = std::jthread{[&exporter](std::stop_token stop) { exporter->run(std::move(stop)); }};
    }
    std::unique_ptr<ghl::GhlClient> client;
    std::optional<Crm> crm;
    if (options.ghl) {
        auto grant = grant_file(options);
        if (!grant) return base::log(Level::error, "syncd", grant.error()), exit_configuration;
        auto made = ghl::GhlClient::make(options.ghl->client, clock, std::move(*grant));
        if (!made) return base::log(Level::error, "syncd", made.error()), exit_configuration;
        client = std::move(*made);
        const auto sealed_as = [&](const char* file, const char* purpose) -> Result<lane::SealedFile> {
            auto sealing = crypto::KeySlot::from_credential_file(options.credential);
            if (!sealing) return sealing.error();
            return lane::SealedFile{options.state / file, std::move(*sealing), purpose};
        };
        auto rate = sealed_as("rate.sealed", "clinic-syncd GHL rate 1");
        if (!rate) return base::log(Level::error, "syncd", rate.error()), exit_configuration;
        crm.emplace(Crm::Means{options, *client, board, vitals, clock, options.traces ? &spans : nullptr},
                    std::move(*rate));
        if (options.ghl->polling) {
            auto marks = sealed_as("poll.sealed", "clinic-syncd polling 1");
            if (!marks) return base::log(Level::error, "syncd", marks.error()), exit_configuration;
            crm->poll(std::move(*marks), vitals, clock);
        }
    }
    std::optional<mqtt::MqttLink> link;
    std::jthread link_thread;
    if (options.mqtt) {
        link.emplace(mqtt::LinkOptions{.broker = *options.mqtt,
                                       .box = options.box,
                                       .egress = options.egress,
                                       .pulse = vitals.join("the link to central ops", link_beat_max)},
                     **numbers, board, clock);
        link_thread = std::jthread{[&link](std::stop_token stop) { link->run(std::move(stop)); }};
    }
    std::optional<mqtt::RelayLink> relay;
    std::jthread relay_thread;
    if (options.relay) {
        relay.emplace(mqtt::RelayLinkOptions{.broker = *options.mqtt,
                                             .box = options.box,
                                             .egress = options.egress,
                                             .pulse = vitals.join("the link to the relay", link_beat_max),
                                             .look = [&crm](envelope::CrmKind kind) { crm->look(kind); }},
                      options.ghl->rules, board, clock);
        relay_thread = std::jthread{[&relay](std::stop_token stop) { relay->run(std::move(stop)); }};
    }
    lane::Reporter reporter{options.egress, board, {}, vitals.join("the reporter", beat_max)};
    std::jthread reporter_thread{[&reporter](std::stop_token stop) { reporter.run(std::move(stop)); }};
    std::optional<Enquiries> enquiries;
    if (!options.diagnose.empty()) enquiries.emplace(options, board, clock, crm, client.get());

    notifier.ready();
    base::log(Level::notice, "syncd", "started",
              {{"workers", options.ghl ? options.workers : 0}, {"mqtt", options.mqtt.has_value()}});
    wait_for_the_end(signals, notifier, vitals);
    notifier.stopping();
    if (crm) crm->request_stop(); // all at once; the joins follow in reverse order
    link_thread.request_stop();
    relay_thread.request_stop();
    return 0;
}

} // namespace

int main(int count, char** arguments) {
    const auto signals = base::block_signals({SIGTERM, SIGINT});
    base::say_when_memory_ends("syncd");
    if (count != 3 || std::strcmp(arguments[1], "--config") != 0) {
        base::log(Level::error, "syncd", "usage: clinic-syncd --config FILE");
        return exit_usage;
    }
    try {
        if (!crypto::start()) return base::log(Level::error, "syncd", "libsodium does not start"), 1;
        const auto options = sync::read_options(arguments[2]);
        if (!options) return base::log(Level::error, "syncd", options.error()), exit_configuration;
        const int code = run(*options, signals);
        base::log(Level::notice, "syncd", "stopped");
        return code;
    } catch (const std::system_error& failed) {
        base::log(Level::error, "syncd",
                  Error{Errc::system,
                        "a thread cannot be started",
                        "give this program more memory or tasks (TasksMax=)",
                        {},
                        failed.code().value()});
        return 1;
    } catch (const std::exception&) {
        base::log(Level::error, "syncd", "stopped by an exception that should not have come this far");
        return 1;
    }
}
