// What other settings would let leave of the people whose records changed lately, counted: the release itself is
// rehearsed and undone, so nothing is pushed and nothing changed.
//   Of each person is judged what stands in the records now, not each message on the way there.
//   Threads: any but the store's; the people are looked up by a reader, and rehearsed on the writer, a few at a time.
//   Source:  docs/ledger.md, "Before a policy is changed".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "daemon/release/releaser.h"

namespace clinic::release {

using Counts = std::map<std::string, std::int64_t>;

struct Counted {
    Counts leaves;                        // by kind
    std::map<std::string, Counts> fields; // of what leaves: by kind and field of the envelope
    std::map<std::string, Counts> stays;  // by kind and reason
};

struct Preview {
    std::int64_t patients = 0; // whose records changed
    Counted now, then;
    std::optional<records::PatientId> next; // where to go on; empty: that was all
};

struct Question {
    Settings now, then;
    Timestamp since{}; // changed then or later
};

// One slice of `rows_max` people, added to what was counted before.
Result<void> preview(records::Store& store, Releaser& releaser, const Question& question, int rows_max,
                     Preview& counted);

} // namespace clinic::release
