// Patients' data keys, wrapped, in a small file apart from the data and its backups: erasing a key
// erases the patient everywhere. SQLite's WAL is not atomic across files, so free slots are made durable
// before a transaction takes one; a slot taken by a transaction that did not commit is taken again later.
//   Format:  docs/store-format.md, "Keystore".
//   Threads: any; one mutex inside.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "crypto/base/ids.h"
#include "crypto/base/result.h"
#include "crypto/sealed_vfs.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

using SlotId = base::Number<struct SlotTag>; // from 1

// What a keystore's file holds, slot by slot.
struct KeystoreFindings {
    bool head_whole = false;
    std::int64_t slots = 0, erased = 0;
    // Slots that open neither as a key nor as the mark of an erased one, or that a store uses and the file ends before.
    std::vector<std::int64_t> damaged = {};
};

class Keystore {
public:
    static constexpr int pool_slots_min = 256;
    static constexpr std::int64_t file_slots_max = 4'000'000;

    // `highest_used` is the highest slot that a row of the store holds (0: none; at most file_slots_max). Changes
    // nothing. Errors: not_found, conflict (of another store), newer, full, system.
    static Result<KeystoreFindings> examine(const std::filesystem::path& path, const SecureBytes& wrapping,
                                            const StoreUuid& store, SlotId highest_used);
    // Each slot that is damaged, or cut off, becomes what the copy holds there, where `fits` says that it is that
    // slot's (the copy may be of a store that went its own way): a key, or nullptr for the mark of an erased one. The
    // header is written anew where it is damaged. How many slots did. Durable on return; after a power cut it is done
    // again. Errors: as examine, of either file; tampered, the copy's header.
    using Fits = std::function<bool(SlotId, const SecureBytes*)>;
    static Result<std::int64_t> mend(const std::filesystem::path& path, const std::filesystem::path& copy,
                                     const SecureBytes& wrapping, const StoreUuid& store, const Fits& fits);
    // All slots as they are, the damaged ones too (`mend` may still help) and zeros for those that were cut off, behind
    // a header that is whole. Errors: as examine.
    static Result<void> copy(const std::filesystem::path& from, const std::filesystem::path& to,
                             const SecureBytes& wrapping, const StoreUuid& store, SlotId highest_used);

    // `wrapping` is the organization's key; `store` binds the file to its database. A damaged header says nothing that
    // is not known: it is written anew, and logged, where a slot behind it opens.
    // Errors: tampered, conflict (of another store), not_found (absent and `if_absent` is fail), newer, full, system.
    static Result<std::unique_ptr<Keystore>> open(const std::filesystem::path& path, const SecureBytes& wrapping,
                                                  const StoreUuid& store, IfAbsent if_absent);
    ~Keystore();

    // The slot to use for a new patient; `highest_used` is the highest slot any committed row holds (0: none).
    // Every slot above it is free. Refills the pool durably when fewer than a quarter are left.
    Result<SlotId> next_free(SlotId highest_used);
    // Errors: not_found (erased), tampered (this slot; others open), corrupt (the file ends before it).
    Result<SecureBytes> key(SlotId slot);
    Result<void> erase(SlotId slot); // durable on return; not_found is success
    // At most `slots_max` slots from `first` on as they lie in the file: `slots` of them were there. The header is
    // written anew where it was damaged since the file was opened.
    Result<KeystoreFindings> look(SlotId first, std::int64_t slots_max);
    int free_slots(SlotId highest_used) const;

private:
    struct State;
    explicit Keystore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace clinic::crypto
