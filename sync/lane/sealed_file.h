// One small JSON object of clinic-syncd's own on disk, sealed with its credential and written durably, whole or not at
// all. The purpose is bound to it: no file of ours opens as another one.
//   Bounds:  64 KiB, depth 3.
//   Errors:  not_found (there is none), locked or corrupt (it does not open: another credential, a changed byte),
//            malformed (no JSON), system, full (a folder that may not be written, or has no room).
//   Threads: one at a time.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "crypto/base/result.h"
#include "crypto/key_slot.h"

namespace clinic::lane {

class SealedFile {
public:
    SealedFile(std::filesystem::path path, crypto::KeySlot credential, std::string_view purpose) // a literal
        : path_{std::move(path)}, credential_{std::move(credential)}, purpose_{purpose} {}

    Result<nlohmann::json> read() const;
    Result<void> write(const nlohmann::json& object) const;
    // Renamed to "….unreadable": kept for whoever has the credential that it was written with.
    Result<void> set_aside() const;

private:
    std::filesystem::path path_;
    crypto::KeySlot credential_;
    std::string_view purpose_;
};

} // namespace clinic::lane
