// A file read and written in whole pieces at offsets.
//   Errors:  not_found, full, refused (a link, or not ours), system.
//   Threads: reads from any; writes from one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <utility>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

struct stat;

namespace clinic::crypto {

// A plain file of this user under one name; absent is no error. Errors: refused, system.
Result<void> only_ours(const std::filesystem::path& path);
Result<void> only_ours(const struct stat& about);

// All of `out` from a file that is open. False: the file ends before. Errors: system.
Result<bool> read_whole(int file, std::uint64_t at, std::span<std::byte> out);

class BlockFile {
public:
    static Result<BlockFile> open(const std::filesystem::path& path); // for reading and writing; it must be there

    Result<std::uint64_t> size() const;
    Result<bool> read(std::uint64_t at, std::span<std::byte> out) const; // false: the file ends before
    Result<void> write(std::uint64_t at, std::span<const std::byte> bytes) const;
    Result<void> sync() const;

private:
    explicit BlockFile(base::UniqueFd file) : file_{std::move(file)} {}
    base::UniqueFd file_;
};

} // namespace clinic::crypto
