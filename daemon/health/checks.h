// What `clinicctl check` found, as clinicd was told of it: the newest set whole, and what central ops heard of each.
//   Form:    docs/checks.md, "On the page and at central operations"; the codes: docs/events.md.
//   Bounds:  a set has each declared check once. Three events a day of one check, besides those that take one back.
//   Errors:  read_checks: malformed (another form, an id or a result that is not declared, one twice or missing).
//   Threads: values; any.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::health {

enum class CheckResult : std::uint8_t { ok, suppressed, not_known, warn, fail };
const char* name(CheckResult result); // "not_known"

struct DeclaredCheck {
    Literal id;          // of docs/checks.md
    Literal code;        // its own, E4###; else of the need by which clinicd tells the same already; "": of neither
    Literal behind = ""; // not told while this need is there, which explains it
    bool is_told() const { return code.c_str()[0] == 'E' && code.c_str()[1] == '4'; }
};

inline constexpr std::size_t checks_declared = 101;
// In the order in which they are made. tests/provisioning/check holds this list and clinicctl's together.
const std::array<DeclaredCheck, checks_declared>& declared_checks();

using CheckSet = std::array<CheckResult, checks_declared>; // by the place in declared_checks

// [{"id":"disk.space","result":"warn"},…], of every check there is.
Result<CheckSet> read_checks(const nlohmann::json& said);
bool ails(CheckResult result); // warn or fail

// What changed, for central ops: worse at once, better when two sets in a row say so. What could not be looked at, or
// follows from another, changes nothing.
class CheckNews {
public:
    struct One {
        std::size_t check; // place in declared_checks
        CheckResult now;   // ok: what was told has gone
    };
    static constexpr std::size_t raised_a_day_max = 3;

    std::vector<One> take(const CheckSet& set, base::Micros monotonic);

    // What was told and has not gone, to outlive a restart: {"id":"fail"}.
    nlohmann::json kept() const;
    void keep(const nlohmann::json& kept); // what is not understood is left out

private:
    struct Told {
        CheckResult what = CheckResult::ok;
        int better = 0;                  // sets in a row that said so
        std::deque<base::Micros> raised; // within a day
    };
    bool may_raise(Told& told, base::Micros monotonic) const;

    std::array<Told, checks_declared> told_;
};

// The newest set there is, as the status shows it.
struct CheckRound {
    Timestamp at{};            // 0: clinicd has not been told
    std::int64_t age_s = -1;   // -1: not been told
    std::int64_t missed_s = 0; // so long none was told to a box that was on; 0 where none is to be expected
    CheckSet set{};
};

inline constexpr std::int64_t round_life_s = 3 * 3'600; // an older one says nothing of now

bool is_missed(const CheckRound& round); // the next one should have come long ago
bool is_old(const CheckRound& round);    // of a box that was off as well
// What outlives a restart: JSON.
std::string encode(const CheckRound& round, const CheckNews& news);
void decode(std::string_view text, CheckRound& round, CheckNews& news); // what is not understood changes nothing
nlohmann::json to_json(const CheckRound& round);                        // `checks` of the status document

} // namespace clinic::health
