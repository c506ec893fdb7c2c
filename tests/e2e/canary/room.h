// A box in a network of the test's own, with everything around it that hears: a recorder before GHL and one before the
// broker, a collector of traces, a listener for all topics, the tap on the wire, the kernel's trace of refused calls, a
// folder for core dumps.
//   Threads: one.
#pragma once

#include <memory>
#include <optional>

#include "tests/e2e/box.h"
#include "tests/e2e/canary/attempts.h"
#include "tests/e2e/canary/clinic_day.h"
#include "tests/e2e/canary/dumps.h"
#include "tests/e2e/canary/places.h"
#include "tests/e2e/canary/recorder.h"
#include "tests/e2e/canary/visits.h"
#include "tests/e2e/canary/wire_tap.h"
#include "tests/sync/support/scripted_https.h"

namespace clinic::e2e {

// A shell that runs this and ends with the test.
pid_t start_shell(const std::string& command);

class Room {
public:
    static constexpr int port_base = 21'000; // in a network of our own nobody else has it
    static constexpr int mqtt_recorded = port_base + 5, ghl_recorded = port_base + 7, spare_port = port_base + 8;

    explicit Room(std::uint64_t seed); // throws where the box does not start
    ~Room();
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    void control_ghl(const nlohmann::json& body) const;
    void seed_ghl(const nlohmann::json& contacts) const; // that were there before the box, names and all
    bool settled() const;                                // nothing waits for GHL
    bool is_up() const;                                  // and both ways out are open
    std::string heard() const;
    std::string traces() const; // all that the collector got, heads and bodies
    // The program is gone by that signal and there again.
    bool signal_program(const std::string& name, int signal) const;

    void look_at_what_left();
    void look_everywhere();

    const timespec began = now();
    fakes::TempFolder own; // what a person at the clinic has: CSV files, and the listener's notes
    support::Authority collectors_authority;
    support::ScriptedHttps collector;
    ClinicDay day;
    support::Search search;
    WireTap tap;
    Dumps dumps;
    Box box;
    Places places;
    Visits visits;
    std::unique_ptr<Recorder> mqtt, ghl;
    std::unique_ptr<Attempts> attempts;

private:
    void lead_through_recorders();
    void listen_to_all();

    pid_t listener_ = 0;
};

} // namespace clinic::e2e
