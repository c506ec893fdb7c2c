// What the running store says of its statements: which walked a table, sorted, or had to make an index for one run; and
// which index would serve, where that can be told from the text.
//   Errors:  those of a reader.
//   Threads: one at a time on the reader that is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/records/statement_use.h"

struct sqlite3;

namespace clinic::records {

struct Advice {
    StatementUse use;
    std::vector<std::string> plan; // SQLite's own words: names of our tables, columns and indexes
    std::string index;             // a CREATE INDEX; empty: none can be told
};

enum class Which : std::uint8_t { in_need, all };

// The longest total time first. In need: they walked, sorted, made an index or were slow, or their plan walks a table
// or makes an index for one run.
std::vector<Advice> advise(sqlite3* reader, const std::vector<StatementUse>& used, Which which);

} // namespace clinic::records
