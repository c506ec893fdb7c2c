// A box as a clinic has it: the package on a real systemd, set up, with GHL (the emulator) and a broker in its network.
//   Threads: one; see Machine.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tests/e2e/appliance/machine.h"

namespace clinic::e2e {

inline constexpr int ghl_port = 24'443, mqtt_port = 24'883, https_port = 443, mllp_port = 2'575;
inline constexpr int patience_s = 240; // a failure takes so long; nothing else does

class ClinicMachine : public Machine {
public:
    ClinicMachine() : Machine{built_package()} {}
    ~ClinicMachine();

    Ran install(); // by apt
    void set_up(); // by clinicctl setup --answers; throws where it did not come up
    std::chrono::milliseconds setup_took() const { return setup_took_; }

    void start_ghl();  // and the broker; again after each boot: they live in the machine's network
    void pull_cable(); // nothing outside is reached, GHL and the broker neither
    void
    plug_in_again(const std::string& ghls_clock); // the clock of what is outside, as faketime(1) has it; empty: ours
    nlohmann::json ghl() const;
    std::size_t persons_at_ghl() const;                                     // contacts that the box made
    std::string heard_by_ops(const std::string& topic, int messages) const; // the next ones; within a minute and a half
    void steer_ghl(const nlohmann::json& how) const;  // as docs/emulator.md says: a fault, or a knob
    long asked_ghl(std::string_view beginning) const; // requests so far whose "METHOD PATH " begins so

    nlohmann::json status(); // of clinicctl; an empty object where it does not answer
    bool serves();           // messages are taken in, within our patience
    bool is_active(const std::string& unit) { return ask("systemctl is-active " + unit) == "active"; }
    std::string send(const std::string& message) const;    // one frame; MSA-1, or empty
    std::string page(const std::string& path);             // by curl inside, with the certificate checked
    long main_process(const std::string& unit);            // as the machine counts it
    bool has_restarted(const std::string& unit, long old); // ready, as another process
    std::int64_t stored();                                 // of the books of MLLP

private:
    void plug_in();
    void start_outside(const std::string& clock) const;
    void stop_outside() const;
    nlohmann::json answers() const;
    std::filesystem::path outside() const { return path("/root/outside"); } // what the emulator and the broker have
    std::chrono::milliseconds setup_took_{};
};

} // namespace clinic::e2e
