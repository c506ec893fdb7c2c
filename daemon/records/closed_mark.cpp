#include "daemon/records/closed_mark.h"

#include "crypto/base/files.h"

namespace clinic::records {
namespace {

constexpr unsigned file_mode = 0600;

std::filesystem::path mark_in(const std::filesystem::path& folder) {
    return folder / "closed-in-order";
}

} // namespace

Result<bool> take_closed_mark(const std::filesystem::path& folder) {
    return base::remove_durable(mark_in(folder));
}

Result<void> put_closed_mark(const std::filesystem::path& folder) {
    return base::write_durable(mark_in(folder), {}, file_mode);
}

} // namespace clinic::records
