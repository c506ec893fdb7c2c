// Central ops, listening to all that a box says, and the events that it has to say.
//   Errors: the test's own failures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/box.h"

namespace clinic::e2e {

// Connects again when its broker was killed.
class Watcher {
public:
    // `through`: before each command, where it listens from another network; `port` 0: the box's own broker.
    explicit Watcher(const Box& box, std::string through = "", int port = 0);
    ~Watcher();
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // A word of our own is heard: what is said from now on is heard too.
    bool listens() const;
    std::vector<nlohmann::json> messages() const; // in the order of the broker
    std::set<std::int64_t> events() const;        // by number

private:
    std::filesystem::path heard_, pid_;
    std::string link_, through_;
    mutable int words_ = 0;
};

struct StoredEvents {
    std::set<std::int64_t> made; // by number
    std::int64_t open = 0;       // that the broker has not acknowledged
};
StoredEvents stored_events(const Box& box);

// Two different messages under one number: E3001. `number` is used once in a box.
void make_event(const Box& box, int number);

} // namespace clinic::e2e
