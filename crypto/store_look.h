// What a store's files say in clear: read without a key, and believed by nobody who has one.
//   Errors:  look_at_store: not_found (no file of a store is there), system. A damaged file is a finding, not an error.
//   Threads: any; reads alone.
//   Format:  docs/store-format.md.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "crypto/store_layout.h"
#include "crypto/store_uuid.h"

namespace clinic::crypto {

struct WrappedKeyLook {
    std::uint32_t kind = 0, epoch = 0; // kind: SlotKind
    std::uint32_t number = 1;
    std::int64_t made_us = 0; // 0: not known
    std::string label = {};
};

struct SuperblockLook {
    bool whole = false; // magic and checksum
    // A whole one of a format or cipher that is not known: the key slots are not read, the other fields as in ours.
    std::optional<Error> newer;
    std::uint32_t version = 0, cipher = 0, page_size = 0, reserve = 0, epoch = 0;
    std::uint64_t sequence = 0;
    StoreUuid store{};
    std::vector<WrappedKeyLook> slots;
};

struct DatabaseLook {
    std::uint64_t bytes = 0, pages = 0, odd_bytes = 0; // odd: a part of a page at the end
    std::array<SuperblockLook, superblocks> blocks{};  // A and B
    const SuperblockLook* newest() const;              // of those that are whole; null: none is
    const SuperblockLook* newer() const;               // the first that is newer; null: none is
};

struct WalLook {
    std::uint64_t bytes = 0, frames = 0;
    bool named = false; // the magic stands there
    std::uint32_t version = 0, epoch = 0;
    StoreUuid store{};
};

struct KeystoreLook {
    std::uint64_t bytes = 0, slots = 0;
    bool named = false;
    std::uint32_t version = 0;
    StoreUuid store{};
};

struct StoreLook {
    std::optional<DatabaseLook> database; // absent: the file is not there
    std::optional<WalLook> wal;
    std::optional<KeystoreLook> keystore;
};

Result<StoreLook> look_at_store(const std::filesystem::path& folder);

// A file that is read and never written, whoever owns it; never through a link.
class ReadFile {
public:
    static Result<ReadFile> open(const std::filesystem::path& path); // not_found, refused (no plain file), system
    std::uint64_t bytes() const { return bytes_; }
    // False: the file ends before, or the disk does not give these bytes.
    [[nodiscard]] bool read(std::uint64_t at, std::span<std::byte> out) const;
    Result<bool> try_read(std::uint64_t at, std::span<std::byte> out) const; // false: the file ends before

private:
    ReadFile(base::UniqueFd file, std::uint64_t bytes) : file_{std::move(file)}, bytes_{bytes} {}
    base::UniqueFd file_;
    std::uint64_t bytes_;
};

} // namespace clinic::crypto
