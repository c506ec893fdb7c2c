// Times as HL7 and CSV write them, to UTC.
//   Forms:   YYYY[MM[DD[HH[MM[SS[.s…]]]]]][±ZZZZ]; also ISO 8601 (2026-11-24T09:00[:00[.s…]][Z|±HH:MM]).
//   Zone:    none said: the clinic's, which is the process's (TZ); a time of day that a clock change skips moves on.
//   Errors:  malformed for what is no date. Only zeros ("0000"), "" and years before 1800 or from 9998 on are unknown:
//   nullopt, no error. Threads: any, while nobody changes TZ. Source:  facts/health-interop §1.3; HL7 v2.5 §2.A.22
//   (DTM).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::intake {

enum class Precision : std::uint8_t { year, month, day, hour, minute, second };

struct Moment {
    Timestamp at; // the beginning of what was said
    Precision precision = Precision::second;
    std::string date; // YYYY, YYYYMM or YYYYMMDD, as written: a birth date knows no zone
};

Result<std::optional<Moment>> read_time(std::string_view text);

// The first moment after that local day, YYYYMMDD: what holds on a day holds to its end.
Timestamp end_of_day(std::string_view date);

std::string hl7_time(Timestamp at); // YYYYMMDDHHMMSS±ZZZZ in the clinic's zone

} // namespace clinic::intake
