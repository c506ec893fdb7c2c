// What every store is given to do. Nothing here but SQLite's C interface, so that one source is built against each
// peer's SQLite.
//   Units: seconds.
#pragma once

#include <cstdint>
#include <string>

#include "tests/bench/store/peer.h"

namespace clinic::bench::store {

struct Figures {
    double wall = 0, cpu = 0; // of what is measured; the processor's time is that of all threads
    std::int64_t steps = 0;   // rows or commits
    std::uint64_t digest = 0; // of the results; equal for all who did the same work
};

// WAL, a checkpoint at 2,000 pages, and otherwise as daemon/records/connection.cpp sets its connections.
// `synchronous`: NORMAL or FULL.
void set_up(sqlite3* db, const std::string& synchronous);

// The digest of those that write is of all that the store holds then, read after the time is taken.
Figures bulk(sqlite3* db);                      // 200,000 rows of some 490 random bytes and an index, 500 rows a commit
Figures commit(sqlite3* db);                    // one row changed a commit; fewer where each is made durable
Figures point(sqlite3* db, std::int64_t count); // rows by their number, at random
Figures range(sqlite3* db);                     // 400 ranges of 1,000 rows
Figures scan(sqlite3* db);                      // every row, in order
// 20,000 look-ups of one row in an index as that of the patients' tokens is, five of each patient. Makes the rows.
Figures lookup(sqlite3* db, std::int64_t patients);

// Not measured: one of `parts` of the pages of rows, chosen by chance, is written again and holds what it held.
void write_again(sqlite3* db, std::int64_t part, std::int64_t parts);

} // namespace clinic::bench::store
