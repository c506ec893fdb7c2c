// What happens on a busy day at a clinic of 400 regulars and 240 visits: the same for every test that needs one.
//   Clinic: `Who`; now(), at(when, what), person(number, family), book(who, key, start, status).
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/records/types.h"

namespace clinic::traffic {

using namespace std::chrono_literals;
using records::AppointmentStatus;

// What a practice system says of a busy day: each call of `add` or `book` is a message that changes a record.
template <class Clinic>
class BusyDay {
public:
    explicit BusyDay(Clinic clinic) : clinic_{std::move(clinic)} {}

    int changes = 0;

    // Regulars, and the visits of the day, as they were known the evening before.
    void evening_before() {
        for (int i = 0; i < regulars; ++i) people_.push_back(clinic_.person(number(i), "Regular"));
        for (int i = 0; i < visits; ++i)
            if (!is_newcomer(i)) book(i % regulars, i, AppointmentStatus::booked, visit_at(i));
        changes = 0;
    }

    void plan() {
        begin_ = clinic_.now();
        for (int i = 0; i < visits; ++i) visit(i);
        for (int i = 0; i < calls; ++i) call(i);
    }

private:
    static constexpr int regulars = 400, visits = 240, calls = 120;
    static constexpr base::Micros next_visit = std::chrono::hours{24 * 60};

    static std::string number(int person) { return "N" + std::to_string(person); }
    static bool is_newcomer(int visit) { return visit % 8 == 0; }
    // Between eight and six.
    Timestamp visit_at(int visit) const { return begin_ + 8h + base::Micros{10h} * visit / visits; }
    base::Micros some(base::Micros from, base::Micros to) {
        return base::Micros{std::uniform_int_distribution<std::int64_t>{from.count(), to.count()}(random_)};
    }
    bool chance(int percent) { return std::uniform_int_distribution<int>{1, 100}(random_) <= percent; }

    void book(int person, int key, AppointmentStatus status, Timestamp start) {
        ++changes;
        clinic_.book(people_.at(static_cast<std::size_t>(person)), "A" + std::to_string(key), start, status);
    }
    void say(Timestamp when, int person, int key, AppointmentStatus status, Timestamp start) {
        clinic_.at(when, [=, this] { book(person, key, status, start); });
    }
    // Address, insurance, a name's spelling: stored, and nothing of it is GHL's.
    void correct(Timestamp when, int person) {
        clinic_.at(when, [=, this] {
            ++changes;
            clinic_.person(number(person), chance(50) ? "Regular" : "Regularly");
        });
    }

    void visit(int visit) {
        int person = visit % regulars;
        const Timestamp start = visit_at(visit);
        if (is_newcomer(visit)) { // calls in the morning, or stands at the desk
            person = static_cast<int>(people_.size()) + newcomers_++;
            const Timestamp called = start - some(130min, 4h);
            clinic_.at(called, [=, this] {
                ++changes;
                people_.resize(std::max<std::size_t>(people_.size(), static_cast<std::size_t>(person) + 1));
                people_.at(static_cast<std::size_t>(person)) = clinic_.person(number(person), "Newcomer");
            });
            say(called + 20s, person, visit, AppointmentStatus::booked, start);
        }
        if (chance(60)) say(start - some(1h, 2h), person, visit, AppointmentStatus::confirmed, start);
        if (chance(5)) return say(start - 30min, person, visit, AppointmentStatus::cancelled, start);
        if (chance(4)) return say(start + 20min, person, visit, AppointmentStatus::no_show, start);
        const Timestamp here = start - some(2min, 10min);
        say(here, person, visit, AppointmentStatus::arrived, start);
        correct(here + some(20s, 1min), person);
        correct(here + some(1min, 3min), person);
        const Timestamp done = start + some(20min, 50min);
        say(done, person, visit, AppointmentStatus::completed, start);
        check_out(done + some(5s, 30s), person, visits + visit);
    }
    // The next visit: booked, often moved once or twice while the person stands there, confirmed.
    void check_out(Timestamp at, int person, int key) {
        say(at, person, key, AppointmentStatus::booked, at + next_visit);
        if (chance(40)) {
            at = at + some(5s, 20s);
            say(at, person, key, AppointmentStatus::booked, at + next_visit + 24h);
        }
        if (chance(20)) {
            at = at + some(5s, 20s);
            say(at, person, key, AppointmentStatus::booked, at + next_visit + 72h);
        }
        say(at + some(5s, 15s), person, key, AppointmentStatus::confirmed, at + next_visit);
        correct(at + some(20s, 40s), person);
    }
    void call(int call) {
        const int person = (call * 3 + 1) % regulars, key = 2 * visits + call;
        Timestamp at = begin_ + 8h + some(0s, 10h);
        say(at, person, key, AppointmentStatus::booked, at + next_visit);
        if (chance(50)) {
            at = at + some(10s, 40s);
            say(at, person, key, AppointmentStatus::booked, at + next_visit + 24h);
        }
        if (chance(50)) say(at + some(5s, 30s), person, key, AppointmentStatus::confirmed, at + next_visit);
    }

    Clinic clinic_;
    std::mt19937 random_{20'261'127};
    Timestamp begin_ = clinic_.now();
    std::vector<typename Clinic::Who> people_;
    int newcomers_ = 0;
};

} // namespace clinic::traffic
