// What a policy lets leave of the people whose records changed lately, counted: nothing is pushed and nothing changed.
//   Of each person is judged what stands in the records now, not each message on the way there.
//   Threads: the store's readers.
//   Source:  docs/release.md, "Before a policy is changed".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/release/releaser.h"

namespace clinic::release {

struct Counted {
    std::map<std::string, std::int64_t> leaves;                       // by kind
    std::map<std::string, std::map<std::string, std::int64_t>> stays; // by kind and reason
};

struct Preview {
    std::int64_t patients = 0; // whose records changed
    Counted now, then;
    std::optional<records::PatientId> next; // where to go on; empty: that was all
};

struct Question {
    Policy now, then;
    Moment moment;
    Timestamp since{}; // changed then or later
};

// One slice of `rows_max` people, added to what was counted before.
Result<void> preview(records::Session& session, const Question& question, int rows_max, Preview& counted);

} // namespace clinic::release
