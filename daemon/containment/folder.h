// The records folder and the key file as the file system shows them.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

namespace clinic::containment {

// The folder is ours alone, and so is each file in it: a plain file under one name, that no other user may open. A link
// that was planted, symbolic or hard, is none of these.
bool is_closed_to_others(const std::filesystem::path& folder);

// Whether the modes keep the key file from `peer` and from everybody else.
bool key_is_closed(const std::filesystem::path& file, std::optional<uid_t> peer);

} // namespace clinic::containment
