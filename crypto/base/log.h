// Log lines of literals, numbers and network addresses: there is no way to put run-time text into one.
//   Form:    "<6>area: what key=1 key=2" on standard error; journald reads the leading priority (sd-daemon(3)).
//   Threads: any; one write(2) a line.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "crypto/base/result.h"

namespace clinic::base {

enum class Level { error = 3, warning = 4, notice = 5, info = 6 };

struct Fact {
    Literal key;
    std::int64_t value;
};

void log(Level level, Literal area, Literal what, std::initializer_list<Fact> facts = {});
void log(Level level, Literal area, const Error& error, std::initializer_list<Fact> facts = {});

// Of a machine on the clinic's network: 16 bytes, IPv4 as ::ffff:a.b.c.d.
using NetworkAddress = std::array<std::uint8_t, 16>;
// The same, with "from=" and the address as people write it.
void log(Level level, Literal area, const Error& error, const NetworkAddress& from,
         std::initializer_list<Fact> facts = {});

} // namespace clinic::base
