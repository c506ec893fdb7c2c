#include "sync/lane/keeper.h"

#include "crypto/base/log.h"
#include "sync/lane/wait.h"
#include "sync/lane/worker.h"

namespace clinic::lane {
namespace {

constexpr std::chrono::milliseconds reply_wait{10'000};
constexpr std::chrono::milliseconds settle_wait{3'000};
constexpr BackoffLimits reconnect{.cap = std::chrono::seconds{2}};

} // namespace

Prober::Prober(std::filesystem::path egress, const envelope::WriteRules& rules, Lane& lane, Channel& channel,
               base::Pulse pulse, std::function<void()> probed)
    : rules_{rules}, lane_{lane}, channel_{channel}, pulse_{std::move(pulse)}, probed_{std::move(probed)},
      client_{std::move(egress)} {}

void Prober::run(std::stop_token stop) {
    Backoff backoff{reconnect};
    for (;;) {
        pulse_.rest();
        if (!lane_.wait_probe(stop)) return;
        pulse_.beat();
        if (probe(stop))
            backoff.reset();
        else
            sleep_for(stop, backoff.next()); // clinicd is away: not asked in a circle
    }
}

Result<void> Prober::probe(std::stop_token stop) {
    if (!client_.connected()) CLINIC_TRY(client_.connect());
    EgressGate gate{client_, rules_, nullptr, reply_wait, stop, pulse_};
    const auto delivery = channel_.probe(gate, stop);
    if (delivery.abandoned) {
        client_.close();
        return Error{Errc::offline, "clinicd went away during a probe"};
    }
    const bool was_up = lane_.up();
    if (!stop.stop_requested()) lane_.probed(delivery.fault);
    if (probed_) probed_();
    if (!was_up && !delivery.fault) base::log(base::Level::notice, "lane", "the way to GHL is open");
    if (was_up && delivery.fault) base::log(base::Level::warning, "lane", "the way to GHL is closed");
    if (delivery.settle.steps.empty()) return {};
    auto settled = client_.ask_for<envelope::Settled>(delivery.settle, settle_wait);
    if (!settled) client_.close();
    return {};
}

Reporter::Reporter(std::filesystem::path egress, Board& board, ReportTimes times, base::Pulse pulse)
    : board_{board}, times_{times}, pulse_{std::move(pulse)}, client_{std::move(egress)} {}

void Reporter::run(std::stop_token stop) {
    Backoff backoff{reconnect};
    while (!stop.stop_requested()) {
        pulse_.beat();
        const auto seen = board_.version();
        if (report(stop)) {
            backoff.reset();
            board_.wait_change(stop, seen, times_.period);
            sleep_for(stop, times_.spacing); // changes closer together are one report
        } else {
            sleep_for(stop, backoff.next()); // as above
        }
    }
}

Result<void> Reporter::report(std::stop_token stop) {
    if (!client_.connected()) CLINIC_TRY(client_.connect());
    const auto told = client_.ask_for<envelope::Settled>(board_.said(), reply_wait, stop);
    if (!told) return told.error();
    board_.watched(told->watched);
    return {};
}

} // namespace clinic::lane
