// A copy of a box's store, as a kill at that moment would have left it: clinicd stands still while its files are taken.
// What lies in it is counted row by row, beside what its own counters say.
//   Errors:  opened() is false, with the test's own failure.
//   Threads: one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/records/store.h"
#include "tests/e2e/box.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::e2e {

// Each pair is counted from two sides that no statement moves together.
struct Tally {
    std::map<std::int64_t, std::int64_t> counted, rows; // envelopes to GHL that are open, by outbox::State
    std::int64_t released = 0, pushed = 0;              // the counter; the numbers that rows have been given
    std::int64_t ended = 0;                             // counted as delivered, superseded, withdrawn, discarded
    std::int64_t received = 0, stored = 0, quarantined = 0, refused = 0, duplicate = 0; // of the feed mllp
    std::int64_t taken = 0, kept_apart = 0; // entries of the audit chain: messages stored, messages quarantined

    // What does not add up, in words; empty: nothing.
    std::vector<std::string> faults() const;
};

class StoreCopy {
public:
    explicit StoreCopy(const Box& box); // running or stopped
    bool opened() const { return store_ != nullptr; }
    records::Store& store() { return *store_; }
    Tally tally();

private:
    fakes::TempFolder folder_;
    base::SystemClock clock_;
    std::unique_ptr<records::Store> store_;
};

// The counters are the rows; and the status says the same, where nothing moves meanwhile.
void expect_counters_are_rows(const Box& box);
void expect_status_is_rows(const Box& box);

} // namespace clinic::e2e
