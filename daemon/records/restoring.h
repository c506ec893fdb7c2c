// The mark that a store is being put back into a folder: while it is there nobody opens what lies there, which may be
// half of the old one and half of the other. It is salvage::restore's, and survives a power cut.
//   Content: what is still to be done, for whoever goes on: docs/store-format.md, "restoring".
//   Threads: any.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"

namespace clinic::records {

inline constexpr const char* restoring_name = "restoring";

// Errors: busy (it is there), system.
Result<void> none_is_put_back(const std::filesystem::path& folder);

} // namespace clinic::records
