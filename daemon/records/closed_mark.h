// The mark of an orderly stop: a file beside the database that is there only while nobody has it open and the last who
// had closed it in order. The check at the next start is short then; after anything else it is the long one.
//   Content: the database's inode, size and time of the last change: one that was put there since is not the one that
//            was closed.
//   Order:   taken away for good before the first page is written; made when the WAL is copied and nothing is written
//            any more. So a power cut leaves it in front of no write.
//   Errors:  system; full, where there is no room for it: then there is none, and the next check is long.
//   Threads: whoever opens the store, and its writer at the end.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"

namespace clinic::records {

Result<bool> take_closed_mark(const std::filesystem::path& database); // true: it was there, and is this database's
Result<void> put_closed_mark(const std::filesystem::path& database);

} // namespace clinic::records
