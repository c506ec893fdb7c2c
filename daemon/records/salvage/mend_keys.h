// Damaged keys of a store taken from a copy of its keystore, in place, while nobody has the store open.
//   Errors:  refused (a process has the store open), not_found, locked, conflict (another store's copy), tampered,
//            newer, unsupported (the folder's file system: crypto/file_system.h), full, system. After an error, or a
//            power cut, it can be done again.
//   Threads: one.
//   Words:   docs/clinicctl.md, "The store".
#pragma once

#include <cstdint>
#include <filesystem>

#include "crypto/base/result.h"
#include "crypto/key_slot.h"

namespace clinic::salvage {

struct KeysMended {
    std::int64_t mended = 0;  // slots that the copy had whole
    std::int64_t damaged = 0; // that are damaged still
};

// `copy` is a keys.db of this store; what it holds for a person is taken where it opens that person's data. Run by
// root, it has the rights of the folder's owner. Bounds: a person's row in memory for each damaged key.
Result<KeysMended> mend_keys(const std::filesystem::path& folder, const std::filesystem::path& copy,
                             const crypto::KeySlot& slot);

} // namespace clinic::salvage
