// What GHL's location has, said when clinicctl asks, and how clinic-syncd is told to make the fields that are missing:
// one packet each way over the same socket. {"v":1,"ask":"location"}, or {"v":1,"ask":"prepare"}; both have the same
// answer.
//   Form:    docs/syncd.md, "Asked how its ways are". Closed; names are plain ASCII of 64 letters at the most.
//   Bounds:  8 pipelines of 32 stages, 64 calendars: what is above is left out, and `more` says so.
//   Errors:  malformed: not such an answer.
//   Threads: values; any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::diagnose {

inline constexpr std::size_t location_bytes_max = 65'536;
inline constexpr std::size_t pipelines_max = 8, stages_max = 32, calendars_max = 64, fields_said_max = 8, tags_max = 16;

struct NamedSaid {
    std::string id, name;
};
struct PipelineSaid {
    std::string id, name;
    std::vector<NamedSaid> stages;
};
struct FieldSaid {
    std::string part, name, id, type; // id: in GHL; empty: it is not there
    std::string state;      // "there", "made", "missing", "not_made" (GHL did not make it), "retyped", "options"
    std::string configured; // the id that clinic-syncd writes to
};

struct LocationSaid {
    bool configured = false; // GHL at all
    bool more = false;
    std::vector<FieldSaid> fields; // ours
    std::vector<std::string> tags; // ours that are there
    std::vector<PipelineSaid> pipelines;
    std::vector<NamedSaid> calendars;
    std::vector<std::pair<std::string, std::string>> unread; // "pipelines", and our code for why
};

std::string write_location_question(bool make);
std::optional<bool> read_location_question(std::string_view text); // make?

std::string write_location(const LocationSaid& said);
Result<LocationSaid> read_location(std::string_view text);

// Asks at that socket. Errors: as `ask`'s in said.h.
Result<LocationSaid> ask_location(const std::string& socket, bool make, int seconds_max);

} // namespace clinic::diagnose
