// The named modes, and what each of them serves: one table, by which the code decides, docs/status.md is checked, and
// tests/e2e/modes walks a whole box, and tests/e2e/appliance an installed one.
//   Threads: constants.
//   Source:  design, "The store" (named modes).
#pragma once

#include <array>
#include <cstdint>

#include "crypto/base/result.h"

namespace clinic::health {

enum class Mode : std::uint8_t { running, locked, damaged, full, clock_untrusted, restoring, draining };
const char* name(Mode mode); // "clock-untrusted"

// What can be asked of the box, or comes from it.
enum class Surface : std::uint8_t { mllp, import, page, api, dbus, delivery, mqtt };

// some: what the mode's line in docs/status.md names. nothing: refused in the surface's own words, and kept by who sent
// it; of delivery, kept here.
enum class Serves : std::uint8_t { all, some, nothing };

struct ServedInMode {
    Mode mode;
    std::array<Serves, 7> by_surface; // in the order of Surface
};

inline constexpr std::array surface_names{Literal{"MLLP"},  Literal{"import"},   Literal{"page"}, Literal{"API"},
                                          Literal{"D-Bus"}, Literal{"delivery"}, Literal{"MQTT"}};

// The page, the API, the bus and central ops hear of every mode.
inline constexpr std::array served_in_modes = [] {
    constexpr Serves all = Serves::all, some = Serves::some, nothing = Serves::nothing;
    return std::array{
        // MLLP, import, page, API, D-Bus, delivery, MQTT
        ServedInMode{Mode::running, {all, all, all, all, all, all, all}},
        ServedInMode{Mode::locked, {nothing, nothing, all, all, all, nothing, all}},
        ServedInMode{Mode::damaged, {nothing, nothing, all, all, all, nothing, all}},
        ServedInMode{Mode::full, {nothing, nothing, all, all, all, some, all}},
        ServedInMode{Mode::clock_untrusted, {all, all, all, all, all, some, all}},
        ServedInMode{Mode::restoring, {nothing, nothing, all, all, all, nothing, all}},
        ServedInMode{Mode::draining, {nothing, nothing, all, all, all, all, all}},
    };
}();

// In the order of Mode: none is without a line.
constexpr Serves serves(Mode mode, Surface surface) {
    return served_in_modes.at(static_cast<std::size_t>(mode)).by_surface.at(static_cast<std::size_t>(surface));
}

} // namespace clinic::health
