// Every word a person reads, in one catalogue per language (en.json beside this), for the page, its script and the
// terminal.
//   Keys:    "part.name"; a sentence with a count has the forms "….one" and "….other".
//   Places:  {n} number, {ago} {span} an age, {since} {date} a moment, {clock} its time of day, {name} of a sender.
//   Errors:  a key that is not in the catalogue is a bug and stops the process.
//   Threads: any; constant data.
//   Source:  ui.md, "Words".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::words {

// The moment a sentence is said at, and the clinic's zone.
struct Moment {
    Timestamp now{};
    int zone_minutes = 0;
};

// What a sentence is filled with.
struct Values {
    std::int64_t n = 0;
    std::int64_t age_s = -1; // before the moment; -1: never
    Timestamp at{};
    std::string_view name = {};
};

bool has(std::string_view key);
Literal text(std::string_view key);
std::vector<std::string_view> keys();

// The form for this count: the key itself, or its ".one" or ".other".
Literal form(std::string_view key, std::int64_t n);
std::string say(std::string_view key, const Values& values, const Moment& moment);
std::string fill(std::string_view sentence, const Values& values, const Moment& moment);

// RFC 3339 in UTC, as the status document writes it: "2026-11-21T10:00:00Z"; 0 for anything else.
Timestamp moment_of(std::string_view text);

std::string number(std::int64_t value);                    // "12,345"
std::string ago(std::int64_t age_s, const Moment& moment); // "4 min ago", "at 09:14", "on 3 March", "never"
std::string span(std::int64_t seconds);                    // "6 minutes"
std::string since(Timestamp at, const Moment& moment);     // "09:14", "3 March", "3 March 2025"
std::string date(Timestamp at, const Moment& moment);      // "3 March", with the year where it is another
std::string bytes(std::int64_t value);                     // "12.4 MB"
std::string exact(Timestamp at, const Moment& moment);     // "3 March 2026, 09:14:07"

} // namespace clinic::words
