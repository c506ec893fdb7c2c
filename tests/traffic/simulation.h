// A clinic, its box and GHL in simulated time: the real store, release, outbox, gate, budget and requests; of GHL its
// limits. One worker whose requests take `answer_time` each stands for the several of clinic-syncd.
#pragma once

#include <functional>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "daemon/egress/gate.h"
#include "sync/channel/ghl/plan.h"
#include "sync/lane/rate_budget.h"
#include "tests/daemon/release/clinic.h"
#include "tests/emulator/faults.h"

namespace clinic::traffic {

using records::AppointmentId;
using records::AppointmentStatus;
using records::PatientId;

// What the settings have told beside the contacts.
struct Beside {
    bool cases = false, bookings = false; // bookings: with their times, so that they are made
};

struct Counted {
    int requests = 0, refused = 0;     // refused: 429, of all requests
    int of_cases = 0, of_bookings = 0; // of the requests
    std::map<envelope::Kind, int> delivered;
    std::vector<double> waits; // s, of each envelope delivered, from its queueing (a newer state counts from its own)
    int order_broken = 0;      // an envelope of a subject after a younger one of it
};

class Simulation {
public:
    explicit Simulation(outbox::Coalesce coalesce, Beside beside = {});

    // Something happens at the clinic at that time, or as soon as what is before it has happened.
    void at(Timestamp when, std::function<void()> what);
    void run_until(Timestamp end);
    // How many requests GHL counts in its day, from now on.
    void day_of(int requests) { ghl_.per_day = requests; }

    PatientId person(const std::string& number, const std::string& family);
    std::int64_t open_rows(); // pending and leased
    Timestamp now() const { return clinic.clock.now(); }

    release::testing::Clinic clinic;
    Counted counted;

private:
    struct Event {
        Timestamp when;
        std::int64_t number; // of the same time the first that was said
        std::function<void()> what;
        bool operator>(const Event& other) const { return std::tie(when, number) > std::tie(other.when, other.number); }
    };
    void pass(base::Micros span); // time passes, and what is due in it happens
    bool turn(Timestamp end);     // one lease and its delivery; false: nothing to do before `end`
    bool send(const envelope::Lease& lease, const ghl::Call& call, lane::Priority priority);
    void deliver(const envelope::Lease& lease);
    envelope::Lease lease(envelope::Least least);
    struct Out {
        std::int64_t id;
        envelope::Kind kind;
        Timestamp queued;
    };
    std::vector<Out> rows_of(std::int64_t lease) const;
    void note(const envelope::Lease& lease, const std::vector<Out>& rows);

    const envelope::WriteRules rules_;
    egress::Gate gate_;
    lane::RateBudget budget_;
    emulator::Throttle ghl_;
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::int64_t events_said_ = 0, contacts_ = 0, objects_ = 0;
    std::vector<envelope::StepOutcome> steps_;
    std::map<std::string, std::int64_t> newest_; // the newest delivered of each subject
};

double percentile(std::vector<double> values, double part);

} // namespace clinic::traffic
