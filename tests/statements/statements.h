// The statements of the product, read from its sources. A Literal converts from compile-time text alone, so whatever is
// prepared stands in a source as a string literal; each literal that begins with a verb of SQL in capitals is taken for
// a statement. What this reading would miss (written in small letters, put together by a macro) a test finds where it
// is prepared: `expect_known`, at the end of every fixture that has a store.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::statements {

struct Found {
    std::string text;
    std::string file; // from the root
};

// String literals of C++ in their order; adjacent ones are one. Comments and character literals are passed over.
std::vector<std::string> literals_of(std::string_view source);
bool is_statement(std::string_view text); // reads or changes rows

// Of every source below a folder of the root ("daemon").
std::vector<Found> in_sources(std::string_view folder);

// Fails the test for each statement that the store has prepared and that no source of the product or the tests holds.
void expect_known(const records::Store& store);

} // namespace clinic::statements
