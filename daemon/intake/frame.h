// What a connection brought, and from whom.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/intake/address_list.h"

namespace clinic::intake {

struct Peer {
    Address address{};
    bool secured = false;           // TLS, with a certificate of the CA we were given
    std::vector<std::string> names; // of that certificate: CN and DNS names
};

struct Frame {
    enum class State : std::uint8_t {
        whole,
        damaged,   // bytes were lost inside
        oversized, // `bytes` is its first segment, as far as it came
        lost,      // it never ended; nothing of it is here, and nobody waits for an answer
    };
    std::string bytes;
    State state = State::whole;
    std::shared_ptr<const Peer> peer; // null: nobody in particular
    // When its first byte was there, on Clock::monotonic; none: when it is read.
    std::optional<base::Micros> heard_at = {};
};

} // namespace clinic::intake
