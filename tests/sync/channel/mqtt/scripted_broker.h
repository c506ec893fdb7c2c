// A broker of MQTT 5 over TLS that takes all that it is told, but for one thing that it refuses with a reason of the
// test's. Nothing is kept and nobody listens.
#pragma once

#include <cstdint>
#include <memory>

#include "tests/sync/support/certificates.h"

namespace clinic::mqtt {

class ScriptedBroker {
public:
    enum class At {
        nothing,
        connection, // in the CONNACK
        message,    // in the PUBACK of what is no state
        disconnect, // instead of that PUBACK
    };
    explicit ScriptedBroker(const support::Leaf& leaf);
    ~ScriptedBroker();
    ScriptedBroker(const ScriptedBroker&) = delete;
    ScriptedBroker& operator=(const ScriptedBroker&) = delete;

    void refuse(At at, std::uint8_t reason = 0); // from now on
    std::uint16_t port() const;
    int refusals() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::mqtt
