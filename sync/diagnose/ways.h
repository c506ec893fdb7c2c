// How far a way out is open, step by step: name, TCP, TLS. A connection of its own, verified and closed without a
// request.
//   Bounds:  2 s for a name, 3 s an address, 3 s for a handshake, 7 s in all; stop ends any of them.
//   Threads: any; each call has its own sockets.
//   Source:  docs/syncd.md, "Asked how its ways are".
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "sync/diagnose/said/said.h"

namespace clinic::diagnose {

struct Far {
    std::string host;
    std::uint16_t port = 0;
    std::filesystem::path ca; // empty: the system's authorities
};

struct Bounds {
    std::chrono::milliseconds name{2'000}, connect{3'000}, handshake{3'000}, all{7'000};
};

// Fills the steps of the way, its issuer and its days.
Way look(const Far& far, const Bounds& bounds, const std::stop_token& stop);

} // namespace clinic::diagnose
