// The mark of an orderly stop: a file beside the store that is there only while nobody has the store open and the last
// who had closed it in order. The check at the next start is short then; after anything else it is the long one.
//   Order:   taken away for good before the first page is written; made when the WAL is copied and nothing is written
//            any more. So a power cut leaves it in front of no write.
//   Errors:  system; full, where there is no room for an empty file: then there is none, and the next check is long.
//   Threads: whoever opens the store, and its writer at the end.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"

namespace clinic::records {

Result<bool> take_closed_mark(const std::filesystem::path& folder); // true: it was there
Result<void> put_closed_mark(const std::filesystem::path& folder);

} // namespace clinic::records
