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

// Whatever is told beside them, contacts keep to half a request a change; an opportunity and a booking are objects of
// GHL's own, each with requests of its own, and those are in the bound of each.
void a_busy_day(Beside beside, const char* name, double a_change_max) {
    Simulation simulation{as_shipped, beside};
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
    const auto& counted = simulation.counted;
    std::printf(
        "24 hours %s: %d changes, %lld envelopes released, %lld superseded, %d requests (%.2f a change, %.2f an "
        "envelope), of them %d of opportunities and %d of bookings, %d refused; waits p50 %.1f s, p95 %.1f s\n",
        name, day.changes, static_cast<long long>(released), static_cast<long long>(superseded), counted.requests,
        1.0 * counted.requests / day.changes, counted.requests / static_cast<double>(released), counted.of_cases,
        counted.of_bookings, counted.refused, percentile(counted.waits, 0.5), percentile(counted.waits, 0.95));
    EXPECT_EQ(simulation.open_rows(), 0);
    EXPECT_EQ(counted.refused, 0);
    EXPECT_EQ(counted.order_broken, 0);
    EXPECT_LE(counted.requests, 200'000 / 20);
    EXPECT_LE(counted.requests - counted.of_cases - counted.of_bookings, day.changes / 2) << "docs/benchmarks.md";
    EXPECT_LE(counted.requests, a_change_max * day.changes);
}

TEST(Traffic, ABusyDayIsNeverRefusedAndKeepsItsBudget) {
    a_busy_day({}, "of contacts", 0.5);
}

TEST(Traffic, APipelineIsARequestMoreForEachCaseThatMoves) {
    a_busy_day({.cases = true}, "with a pipeline", 0.52);
}

TEST(Traffic, BookingsAreARequestMoreForEachThatIsMadeMovedOrEnds) {
    a_busy_day({.cases = true, .bookings = true}, "with a pipeline and bookings", 0.92);
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
