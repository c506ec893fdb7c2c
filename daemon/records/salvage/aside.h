// What a salvage could not put into the new store, kept beside it: pages that are lost by number, rows by table, each
// with its bytes. One sealed file; who has the store's key can read it.
//   Bounds:  32 MiB of rows, each with 256 bytes beside its own; what is beyond is counted and stays in the old files.
//   Format:  docs/store-format.md, "Salvage record".
//   Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"
#include "crypto/store_uuid.h"
#include "daemon/records/salvage/survey.h"

namespace clinic::salvage {

inline constexpr std::size_t aside_bytes_max = 32 * 1'048'576;
inline constexpr std::size_t aside_row_bytes = 256; // what a small one takes too, in the file and in memory
inline constexpr std::uint64_t aside_subkey = 104;  // of the store key
inline constexpr const char* aside_file = "salvage.sealed";

class Aside {
public:
    // `table`: "" where nobody knows.
    void add(std::string_view table, Literal why, std::int64_t rowid, std::span<const std::byte> payload);
    std::int64_t rows() const { return rows_; }
    // Errors: full, system.
    Result<void> write(const std::filesystem::path& folder, const crypto::SecureBytes& key,
                       const crypto::StoreUuid& store, const std::vector<LostPage>& lost) const;

private:
    nlohmann::json kept_ = nlohmann::json::array();
    std::size_t bytes_ = 0;
    std::int64_t rows_ = 0, beyond_ = 0;
};

// Errors: not_found, tampered, corrupt, system.
Result<nlohmann::json> read_aside(const std::filesystem::path& folder, const crypto::SecureBytes& key,
                                  const crypto::StoreUuid& store);

} // namespace clinic::salvage
