#include "tests/traffic/simulation.h"

#include <algorithm>

namespace clinic::traffic {
namespace {

using envelope::Kind;
using envelope::Least;
using std::chrono::milliseconds;

constexpr milliseconds answer_time{110}; // with one worker 9 requests a second: more than GHL is asked for
constexpr std::chrono::seconds idle_look{1};
constexpr std::int64_t micros_per_ms = 1'000;

envelope::WriteRules rules_with(Beside beside) {
    envelope::WriteRules out{.location = "loc1", .fields = {"fPid", "fStage", "fLast", "fNext", "fStatus", "fWhen"}};
    if (beside.cases) out.pipeline = {"pipe1", {"st0", "st0", "st1", "st2", "st2", "", "st3"}};
    out.bookings = beside.bookings;
    if (beside.bookings) out.booking_calendar = "cal1";
    return out;
}

// Of what is beside a contact, as its lease says: made, or written to. Nothing is unsure here, so nothing is looked up.
ghl::Call call_beside(const envelope::WriteRules& rules, const envelope::Lease& lease) {
    EXPECT_FALSE(lease.look_up_first);
    const bool makes = lease.object.empty();
    if (lease.envelope->kind() == Kind::case_state)
        return makes ? ghl::create_case(rules, lease.contact, *lease.envelope)
                     : ghl::put_case(rules, lease.object, *lease.envelope);
    return makes ? ghl::create_booking(rules, lease.contact, *lease.envelope)
                 : ghl::put_booking(lease.object, *lease.envelope);
}

lane::Priority priority_of(Kind kind) {
    const bool urgent = kind == Kind::contact_suppress || kind == Kind::consent_state;
    return urgent ? lane::Priority::urgent : lane::Priority::ordinary;
}

} // namespace

Simulation::Simulation(outbox::Coalesce coalesce, Beside beside)
    : clinic{coalesce}, rules_{rules_with(beside)},
      gate_{{.rules = rules_}, clinic.store->identifiers(), clinic.releaser}, budget_{clinic.clock} {
    clinic.releaser.tell_cases({.told = beside.cases});
    clinic.releaser.tell_bookings({.told = beside.bookings, .create = beside.bookings}, {});
    clinic.between = milliseconds{1};
    release::Policy policy;
    policy.basis = release::Basis::baa;
    policy.unlinked = release::Unlinked::shell;
    clinic.write([&](records::Transaction& txn) { return clinic.releaser.set_policy(txn, policy); });
}

void Simulation::at(Timestamp when, std::function<void()> what) {
    events_.push({when, events_said_++, std::move(what)});
}

void Simulation::pass(base::Micros span) {
    const Timestamp end = now() + span;
    while (!events_.empty() && events_.top().when <= end) {
        auto event = events_.top();
        events_.pop();
        if (event.when > now()) clinic.clock.advance(event.when - now());
        event.what();
    }
    if (end > now()) clinic.clock.advance(end - now());
}

void Simulation::run_until(Timestamp end) {
    while (now() < end)
        if (!turn(end)) pass(std::min<base::Micros>(idle_look, end - now()));
}

PatientId Simulation::person(const std::string& number, const std::string& family) {
    return clinic.add(number, family);
}

std::int64_t Simulation::open_rows() {
    const auto books = clinic.books();
    return books.pending + books.leased;
}

envelope::Lease Simulation::lease(Least least) {
    envelope::Lease got;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto made = gate_.lease(txn, envelope::Destination::crm, least);
        CLINIC_TRY(made);
        got = std::move(*made);
        return {};
    });
    return got;
}

bool Simulation::turn(Timestamp end) {
    const auto room = budget_.room();
    if (room.wait.count() > 0) {
        pass(std::min<base::Micros>(room.wait, end > now() ? end - now() : base::Micros{1}));
        return true;
    }
    const auto got = lease(room.least);
    if (got.lease == 0) return false;
    deliver(got);
    return true;
}

// False: GHL refused it, or the box did not let it go.
bool Simulation::send(const envelope::Lease& lease, const ghl::Call& call, lane::Priority priority) {
    for (auto wait = budget_.take(priority); wait.count() > 0; wait = budget_.take(priority)) pass(wait);
    std::optional<egress::Judged> judged;
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto said =
            gate_.judge(txn, {lease.lease, call.route, call.path, call.body}, {lease.contact, lease.old_contact});
        CLINIC_TRY(said);
        judged = *said;
        return {};
    });
    if (!judged || judged->verdict.answer != envelope::Answer::go) return false;
    pass(answer_time);
    ++counted.requests;
    const bool taken = ghl_.take(now().micros / micros_per_ms);
    if (!taken) ++counted.refused;
    budget_.learn({.max = ghl_.per_window,
                   .remaining = ghl_.remaining(),
                   .interval_ms = static_cast<int>(emulator::Throttle::window_ms),
                   .daily_max = ghl_.per_day,
                   .daily_remaining = ghl_.daily_remaining(),
                   .refused = !taken});
    steps_.push_back({judged->verdict.attempt, envelope::StepOutcome::Result::answered, taken ? 200 : 429});
    return taken;
}

void Simulation::note(const envelope::Lease& lease, const std::vector<Out>& rows) {
    auto& newest = newest_[std::string{lease.envelope->text(envelope::Field::pid)}];
    for (const Out& row : rows) {
        ++counted.delivered[row.kind];
        counted.waits.push_back(std::chrono::duration<double>(now() - row.queued).count());
        if (row.id < newest) ++counted.order_broken;
        newest = std::max(newest, row.id);
    }
}

// One row, or the two of a lease that has both states.
std::vector<Simulation::Out> Simulation::rows_of(std::int64_t lease) const {
    std::vector<Out> out;
    EXPECT_TRUE(clinic.store->read([&](records::Snapshot& session) -> Result<void> {
        auto rows = session.prepare("SELECT id, kind, queued_at FROM outbox WHERE id = ?1 OR joined = ?1 ORDER BY id");
        if (!rows) return rows.error();
        rows->bind(lease);
        for (auto found = rows->step();; found = rows->step()) {
            CLINIC_TRY(found);
            if (!*found) return {};
            out.push_back({rows->integer(0), static_cast<Kind>(rows->integer(1)), Timestamp{rows->integer(2)}});
        }
    }));
    return out;
}

void Simulation::deliver(const envelope::Lease& lease) {
    envelope::Settle outcome{.lease = lease.lease, .contact = "", .steps = {}};
    steps_.clear();
    const auto rows = rows_of(lease.lease);
    EXPECT_EQ(rows.size(), lease.also ? 2U : 1U);
    const auto priority = priority_of(lease.envelope->kind());
    const bool is_beside = envelope::is_beside(lease.envelope->kind());
    const auto calls = is_beside      ? std::vector{call_beside(rules_, lease)}
                       : lease.create ? std::vector{ghl::shell(rules_, lease)}
                                      : ghl::writes(rules_, lease, lease.contact);
    if (is_beside) ++(lease.envelope->kind() == Kind::case_state ? counted.of_cases : counted.of_bookings);
    const bool all = std::ranges::all_of(calls, [&](const auto& call) { return send(lease, call, priority); });
    outcome.steps = steps_;
    if (all) {
        if (is_beside && lease.object.empty()) outcome.object = "object" + std::to_string(++objects_);
        if (!is_beside && lease.create) outcome.contact = "contact" + std::to_string(++contacts_);
        note(lease, rows);
    } else {
        outcome.outcome = envelope::Outcome::retry;
        outcome.code = "throttled";
        outcome.retry_after_ms = 10'000;
    }
    clinic.write([&](records::Transaction& txn) -> Result<void> {
        auto settled = gate_.settle(txn, outcome, {lease.contact, lease.old_contact});
        return settled ? Result<void>{} : settled.error();
    });
}

double percentile(std::vector<double> values, double part) {
    if (values.empty()) return 0;
    const auto at = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

} // namespace clinic::traffic
