// Small files, whole and durable.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::base {

// At most `bytes_max` bytes. Errors: not_found, full (longer than the bound), system.
Result<std::string> read_text(const std::filesystem::path& path, std::size_t bytes_max);
Result<std::vector<std::byte>> read_bytes(const std::filesystem::path& path, std::size_t bytes_max);

// Written beside, synced, renamed into place, directory synced: after a power cut it is the old or the new file.
Result<void> write_durable(const std::filesystem::path& path, std::span<const std::byte> bytes, unsigned mode);

// After it the name is gone for good, whoever took it away: the directory is synced in any case. True: it was there.
Result<bool> remove_durable(const std::filesystem::path& path);

std::span<const std::byte> as_bytes(std::string_view text);

} // namespace clinic::base
