// Small files, whole and durable.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::base {

// At most `bytes_max` bytes. Errors: not_found, full (longer than the bound), system.
Result<std::string> read_text(const std::filesystem::path& path, std::size_t bytes_max);
Result<std::vector<std::byte>> read_bytes(const std::filesystem::path& path, std::size_t bytes_max);

// What the system refuses about a file, by its errno, with what helps: full (no room), else system.
Error file_error(Literal what, int native);

struct Owner {
    unsigned user, group;
};

// Written beside, synced, renamed into place, directory synced: after a power cut it is the old or the new file. Its
// mode is just this one, whatever the umask; without an owner it is the caller's. Errors: full, system.
Result<void> write_durable(const std::filesystem::path& path, std::span<const std::byte> bytes, unsigned mode,
                           std::optional<Owner> owner = std::nullopt);

// After it the name is gone for good, whoever took it away: the directory is synced in any case. True: it was there.
Result<bool> remove_durable(const std::filesystem::path& path);

std::span<const std::byte> as_bytes(std::string_view text);

} // namespace clinic::base
