// A real mosquitto with mutual TLS for a test, and somebody from central ops who listens to everything.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/sync/support/certificates.h"

namespace clinic::mqtt {

std::uint16_t free_port(); // on the loopback; nobody holds it

// Null where the program is not installed.
class Mosquitto {
public:
    static bool installed();
    // The certificate's common name is the user; "ops" reads everything, a box writes its own topics,
    // "relay" what boxes hear.
    // `days`: how long the broker's own holds; below zero it has expired.
    Mosquitto(const std::filesystem::path& folder, const support::Authority& authority, int days = 1);
    ~Mosquitto();
    Mosquitto(const Mosquitto&) = delete;
    Mosquitto& operator=(const Mosquitto&) = delete;

    std::uint16_t port() const { return port_; }
    void stop();
    void start(); // again, on the same port
    void hang() const { kill(pid_, SIGSTOP); }
    void go_on() const { kill(pid_, SIGCONT); }

private:
    std::filesystem::path configuration_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

struct Heard {
    std::string topic, payload;
    bool retained = false;
};

class Ops {
public:
    Ops(const Mosquitto& broker, const support::Authority& authority);
    ~Ops();
    std::vector<Heard> heard(const std::string& topic) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::mqtt
