// What must hold of the books of a box, looked at from outside and, at the end, in a copy of its store.
//   Errors: the test's own failures.
#pragma once

#include <memory>
#include <vector>

#include "tests/e2e/books/practice.h"
#include "tests/e2e/box.h"

namespace clinic::e2e {

// The running box answers, and its books balance: per destination and per feed.
bool books_balance(const nlohmann::json& status);
bool is_up(const Box& box);
// Nothing waits any more and nothing is on its way.
bool is_quiet(const Box& box);

using Senders = std::vector<std::unique_ptr<Sender>>;

// While the senders go on: what the books count is there, row by row, and it is all that the senders had acknowledged
// and nothing that they did not make.
void expect_rows(const Box& box, const Senders& senders);
// Each message that was acknowledged is in the store once: the books say so, and so do the rows and re-sends.
void expect_all_kept(const Box& box, const Senders& senders);
// All lines of `clinicctl ledger`.
std::vector<nlohmann::json> ledger(const Box& box);
// `clinicctl ledger` against the emulator's own record of what it received, digest by digest.
void expect_ledger_matches(const Box& box, const std::vector<nlohmann::json>& received);
// Each acknowledged message is remembered, and kept as it came, up to the number that is kept of a person; each person
// who was acknowledged has a record that says what was said last.
// One contact for each person, showing what the model says; of those who were merged, at most an archived one.
// `records` is the folder of a store that nobody has open.
void expect_effects(const std::filesystem::path& records, const std::filesystem::path& key,
                    const std::vector<nlohmann::json>& contacts, const Senders& senders);

} // namespace clinic::e2e
