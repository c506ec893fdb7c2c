// A store's folder and the files in it, as whoever puts one in place needs them: durable, and its owner's.
//   Errors:  system; full, where the disk has no room.
//   Threads: any.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "crypto/base/result.h"

namespace clinic::salvage {

Error system_error(Literal what); // of the call that has just failed
Result<void> sync_folder(const std::filesystem::path& folder);
// Run by root, it is for who has `of`; with all that lies in it, where it is a folder.
Result<void> give_to_owner_of(const std::filesystem::path& of, const std::filesystem::path& given);
// `to` is not there; nobody else reads it, whoever may read `from`.
Result<void> copy_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Root gives its rights away for as long as this lives: the folder is somebody else's, who may have put anything in it.
class AsOwner {
public:
    static Result<AsOwner> of(const std::filesystem::path& folder);
    AsOwner(AsOwner&& other) noexcept : given_{std::exchange(other.given_, false)} {}
    AsOwner& operator=(AsOwner&&) = delete;
    ~AsOwner();

private:
    AsOwner() = default;
    bool given_ = false;
};

// Which files they are and when they were changed last: the database and its WAL. Another text: not what it was.
inline constexpr const char* made_of_name = "made-of"; // beside what a salvage made: of what
std::string look_of(const std::filesystem::path& folder);

} // namespace clinic::salvage
