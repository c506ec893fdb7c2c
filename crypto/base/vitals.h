// Whether the workers that a program cannot do without still turn: the watchdog is fed only while each has checked in
// within its bound. A loop that turns alone says nothing of a writer that hangs.
//   Units:   a bound is the longest time between two beats.
//   Threads: any; a beat takes no lock.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::base {

// A worker's place among them: it counts from `Vitals::join` until its last copy is gone. One that was made by itself
// belongs nowhere, and its beats say nothing.
class Pulse {
public:
    Pulse() = default;
    void beat() const; // here, and not stuck
    void rest() const; // waits for something that may never come: owes nothing until the next beat

private:
    friend class Vitals;
    struct Worker {
        Literal name;
        Micros bound;
        const Clock& clock;
        std::atomic<std::int64_t> at; // of the last beat, monotonic; below zero: resting
    };
    std::shared_ptr<Worker> worker_;
};

class Vitals {
public:
    explicit Vitals(const Clock& clock) : clock_{clock} {}

    Pulse join(Literal worker, Micros bound); // it has just beaten
    std::optional<Literal> overdue(); // the worker that did not check in within its bound; the first that joined

private:
    const Clock& clock_;
    std::mutex mutex_;
    std::vector<std::weak_ptr<Pulse::Worker>> workers_;
};

} // namespace clinic::base
