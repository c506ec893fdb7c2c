// Random work for a database, from a seed: rows of every type and size, indexes, savepoints, checkpoints, a reader with
// its snapshot, closing and crashing. The same seed gives the same steps on every machine.
//   Threads: one.
#pragma once

#include <sqlite3.h>

#include <string>

#include "tests/support/mutation.h"

namespace clinic::crypto::tests {

struct RandomStep {
    enum class Kind {
        run,    // by the connection that writes; it may fail, the same everywhere
        read,   // by the connection that reads
        reopen, // both closed, and opened again
        crash,  // the files as they are now, opened elsewhere
    };
    Kind kind;
    std::string sql{};
};

class RandomSql {
public:
    explicit RandomSql(std::uint64_t seed) : random_{seed, ""} {}
    RandomStep next();

private:
    std::size_t below(std::size_t bound) { return random_.below(bound); }
    std::string pick(std::initializer_list<const char*> from);
    std::string number() { return std::to_string(number_++); }
    std::string table() { return "t" + std::to_string(below(3)); }
    std::string value();
    std::string blob();
    std::string where();
    std::string insert();
    std::string change();
    std::string schema();
    std::string transaction();
    std::string query();
    std::string upkeep();

    support::Mutator random_;
    int number_ = 1;
    bool begun_ = false;
};

// What the steps need: noise(bytes, seed), a blob that is the same everywhere; no waiting for locks.
void prepare(sqlite3* connection);

} // namespace clinic::crypto::tests
