// A store that was saved, or copied, put back in the place of the one that lies there; that one is kept beside it.
//   Order:   the other store is checked, copied into the folder and checked again as the copy; only then names change.
//            The mark `restoring` (records/restoring.h) is durable before the first and goes after the last, so that
//            clinicd says meanwhile, and after a power cut, that records are being put back. Run again, it goes on.
//   Keys:    a keystore that lies there, is whole and of the same store stays: a key that was erased since the copy was
//            made comes back with none.
//   Basis:   where the other store is no salvage of the one that lies there, an opt-out since may be missing from it:
//            then it has no legal basis, and nothing leaves until a person sets one.
//   Errors:  refused (a process has one of them open; one lies within the other), not_found, locked, tampered (what
//            would be put back is damaged), conflict (the store that lies there is another one), full, system.
//   Threads: one.
//   Words:   docs/clinicctl.md, "The store".
#pragma once

#include <filesystem>
#include <string>

#include "crypto/base/clock.h"
#include "crypto/key_slot.h"
#include "crypto/store_uuid.h"

namespace clinic::salvage {

struct Restored {
    crypto::StoreUuid store{};
    std::string replaced;      // the folder beside the records that the old files are in; empty: there were none
    bool basis_closed = false; // nothing leaves until a person sets the legal basis
    bool went_on = false;      // an earlier one was cut off
};

Result<Restored> restore(const std::filesystem::path& records, const std::filesystem::path& from,
                         const crypto::KeySlot& slot, const Clock& clock);

} // namespace clinic::salvage
