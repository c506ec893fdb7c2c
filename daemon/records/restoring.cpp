#include "daemon/records/restoring.h"

namespace clinic::records {

Result<void> none_is_put_back(const std::filesystem::path& folder) {
    std::error_code failed;
    const bool there = std::filesystem::exists(folder / restoring_name, failed);
    if (failed) return Error{Errc::system, "the records' folder cannot be looked into", "", {}, failed.value()};
    if (!there) return {};
    return Error{Errc::busy, "records are being put back into the folder",
                 "let it end; where it was cut off: clinicctl store restore again, with the same words"};
}

} // namespace clinic::records
