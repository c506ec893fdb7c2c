// What the database that a salvage makes needs beside its rows.
//   Errors:  as a statement's; corrupt, where it does not pass its check.
//   Threads: one.
#pragma once

#include <string>

#include "daemon/records/connection.h"

namespace clinic::salvage {

// Triggers guard what the box writes; here rows come as they were.
class WithoutTriggers {
public:
    explicit WithoutTriggers(records::Connection& connection) : connection_{connection} {}
    Result<void> drop(); // all of them
    Result<void> restore();

private:
    records::Connection& connection_;
    std::string anew_;
};

// SQLite's check of the whole.
Result<void> check_new(records::Connection& connection);

} // namespace clinic::salvage
