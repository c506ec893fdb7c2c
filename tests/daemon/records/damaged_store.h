// A store that lost a page of people, and what a salvage makes of it: for tests in which the salvage is cut or fails.
//   Threads: one, besides the store's own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/records/salvage/salvage.h"
#include "tests/daemon/records/dump.h"

namespace clinic::salvage {

void make_damaged_store(const std::filesystem::path& folder, crypto::CipherId cipher);
Result<Salvaged> salvage_it(const std::filesystem::path& from, const std::filesystem::path& to);
// The bytes of its files.
std::vector<std::vector<std::byte>> files_of(const std::filesystem::path& folder);

// What is in a store that a salvage made: its rows, its keys, and its record of what was set aside.
struct Saved {
    records::Dump rows;
    std::int64_t rows_aside = -1, keys = 0, keys_erased = 0;
};
Saved saved_in(const std::filesystem::path& folder);

// What is wrong with a store that a salvage made; empty: it is sound, holds what is right, and opens.
std::string wrong_with(const std::filesystem::path& folder, const Saved& right);

} // namespace clinic::salvage
