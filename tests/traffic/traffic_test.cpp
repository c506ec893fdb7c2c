#include <algorithm>
#include <cstdio>

#include "tests/traffic/busy_day.h"
#include "tests/traffic/simulation.h"

namespace clinic::traffic {
namespace {

using namespace std::chrono_literals;
using envelope::Kind;

constexpr outbox::Coalesce as_shipped{.window = 60s, .quiet = 15s};

// ---- a day ------------------------------------------------------------------------------------------------------

// The clinic of a simulation, as a busy day speaks to it.
struct SimulatedClinic {
    using Who = PatientId;
    Simulation& simulation;
    Timestamp now() const { return simulation.now(); }
    void at(Timestamp when, std::function<void()> what) { simulation.at(when, std::move(what)); }
    Who person(const std::string& number, const std::string& family) { return simulation.person(number, family); }
    void book(const Who& who, const std::string& key, Timestamp start, AppointmentStatus status) {
        simulation.clinic.book(who, key, start, status);
    }
};

TEST(Traffic, ABusyDayIsNeverRefusedAndKeepsItsBudget) {
    Simulation simulation{as_shipped};
    BusyDay<SimulatedClinic> day{SimulatedClinic{simulation}};
    day.evening_before();
    simulation.run_until(simulation.now() + 1h);
    ASSERT_EQ(simulation.open_rows(), 0);
    const auto before = simulation.clinic.books();
    simulation.counted = {};
    day.plan();
    simulation.run_until(simulation.now() + 24h);
    const auto after = simulation.clinic.books();
    const auto released = after.released - before.released;
    const auto superseded = after.superseded - before.superseded;
    std::printf("24 hours: %d changes, %lld envelopes released, %lld superseded, %d requests (%.2f a change, %.2f an "
                "envelope), %d refused; waits p50 %.1f s, p95 %.1f s\n",
                day.changes, static_cast<long long>(released), static_cast<long long>(superseded),
                simulation.counted.requests, 1.0 * simulation.counted.requests / day.changes,
                simulation.counted.requests / static_cast<double>(released), simulation.counted.refused,
                percentile(simulation.counted.waits, 0.5), percentile(simulation.counted.waits, 0.95));
    EXPECT_EQ(simulation.open_rows(), 0);
    EXPECT_EQ(simulation.counted.refused, 0);
    EXPECT_EQ(simulation.counted.order_broken, 0);
    EXPECT_LE(simulation.counted.requests, 200'000 / 20);
    EXPECT_LE(simulation.counted.requests, day.changes / 2) << "docs/benchmarks.md";
}

// ---- a backlog --------------------------------------------------------------------------------------------------

// So many people of whom something waits since a week, and nobody who has been told of them.
void offline_for_a_week(Simulation& simulation, int people) {
    for (int i = 0; i < people; ++i) simulation.person("B" + std::to_string(i), "Backlog");
    simulation.clinic.clock.advance(std::chrono::hours{24 * 7});
}

TEST(Traffic, FreshChangesGoThroughABacklogWhichDrainsAtWhatGhlAllows) {
    constexpr int backlog = 1'500, fresh = 100;
    Simulation simulation{as_shipped};
    offline_for_a_week(simulation, backlog);
    const Timestamp begin = simulation.now();
    std::vector<double> fresh_waits;
    for (int i = 0; i < fresh; ++i)
        simulation.at(begin + 1s * i, [&, i] { simulation.person("F" + std::to_string(i), "Fresh"); });
    while (simulation.open_rows() > 0) simulation.run_until(simulation.now() + 1s);
    const double seconds = std::chrono::duration<double>(simulation.now() - begin).count();
    for (const double wait : simulation.counted.waits)
        if (wait < 3'600) fresh_waits.push_back(wait);
    std::printf("backlog of %d: drained at %.2f requests/s; of %zu fresh changes p50 %.1f s, p95 %.1f s; %d refused\n",
                backlog, simulation.counted.requests / seconds, fresh_waits.size(), percentile(fresh_waits, 0.5),
                percentile(fresh_waits, 0.95), simulation.counted.refused);
    EXPECT_EQ(fresh_waits.size(), 1U * fresh);
    EXPECT_LT(percentile(fresh_waits, 0.95), 5);
    EXPECT_GE(simulation.counted.requests / seconds, 7.5);
    EXPECT_EQ(simulation.counted.refused, 0);
    EXPECT_EQ(simulation.counted.order_broken, 0);
}

TEST(Traffic, ADayThatRunsShortIsKeptForWhatMatters) {
    Simulation simulation{as_shipped};
    simulation.day_of(1'000);
    offline_for_a_week(simulation, 1'200);
    simulation.run_until(simulation.now() + 30min);
    const int drained = simulation.counted.requests;
    EXPECT_LE(drained, 760) << "a quarter of the day is not the backlog's";
    EXPECT_GE(drained, 740);
    for (int i = 0; i < 200; ++i) simulation.person("F" + std::to_string(i), "Fresh");
    simulation.run_until(simulation.now() + 30min);
    EXPECT_LE(simulation.counted.requests, 910) << "the last tenth is not for states";
    EXPECT_GE(simulation.counted.requests, 890);
    const auto told = simulation.person("B0", "Backlog"); // the oldest: delivered first
    simulation.clinic.consent(told, records::ConsentScope::crm_sync, records::ConsentState::revoked);
    const Timestamp revoked = simulation.now();
    while (simulation.counted.delivered[Kind::contact_suppress] == 0 && simulation.now() < revoked + 1h)
        simulation.run_until(simulation.now() + 1s);
    EXPECT_LT(simulation.now() - revoked, 10s);
    simulation.run_until(revoked + 24h);
    EXPECT_EQ(simulation.open_rows(), 0) << "the next day";
    EXPECT_EQ(simulation.counted.refused, 0);
}

} // namespace
} // namespace clinic::traffic
