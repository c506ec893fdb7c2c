// What is lost of a damaged store, in a line for whoever reads the box's page: "1 page of messages as they came
// (raw_message)". Names of the schema, numbers and our own words alone.
//   Bounds:  pages of a store of 1 GiB, some two seconds; of a larger one clinicctl store check says them.
//   Errors:  none: empty where nothing is lost, or where it cannot be told.
//   Threads: one; reads alone, and takes no lock: nobody may have the store open.
#pragma once

#include <filesystem>
#include <string>

#include "crypto/key_slot.h"
#include "daemon/records/salvage/survey.h"

namespace clinic::salvage {

inline constexpr std::uint32_t told_pages_max = 262'144; // 1 GiB

std::string what_is_lost(const Survey& found);
std::string what_is_lost(const std::filesystem::path& folder, const crypto::KeySlot& slot);

} // namespace clinic::salvage
