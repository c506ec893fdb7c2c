#include "daemon/records/closed_mark.h"

#include <sys/stat.h>

#include <cerrno>
#include <span>

#include "crypto/base/files.h"

namespace clinic::records {
namespace {

constexpr unsigned file_mode = 0600;
constexpr std::size_t text_bytes_max = 128;

std::filesystem::path mark_beside(const std::filesystem::path& database) {
    return database.parent_path() / "closed-in-order";
}

// Another file in its place, or one that was written since, has another.
Result<std::string> state_of(const std::filesystem::path& database) {
    struct stat now {};
    if (stat(database.c_str(), &now) != 0)
        return Error{Errc::system, "the database cannot be looked at", "", {}, errno};
    std::string text = std::to_string(now.st_ino);
    for (const auto number : {now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec})
        (text += ' ') += std::to_string(number);
    return text += '\n';
}

} // namespace

Result<bool> take_closed_mark(const std::filesystem::path& database) {
    const auto said = base::read_text(mark_beside(database), text_bytes_max); // none, or none that says anything
    const auto state = state_of(database);
    CLINIC_TRY(state);
    const auto was_there = base::remove_durable(mark_beside(database));
    CLINIC_TRY(was_there);
    return *was_there && said && *said == *state;
}

Result<void> put_closed_mark(const std::filesystem::path& database) {
    const auto state = state_of(database);
    CLINIC_TRY(state);
    return base::write_durable(mark_beside(database), std::as_bytes(std::span{*state}), file_mode);
}

} // namespace clinic::records
