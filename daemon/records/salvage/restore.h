// A store that was saved, or copied, put back in the place of the one that lies there; that one is kept beside it.
//   Order:   the other store is checked, copied into the folder and checked again as the copy; only then names change.
//            The mark `restoring` (records/restoring.h) is durable before the first and goes after the last, so that
//            clinicd says meanwhile, and after a power cut, that records are being put back. Run again, it goes on.
//   Keys:    the keystore that lies there stays the only one, also beside the old database, unless it cannot be read or
//            is the shorter: a key that was erased since the copy was made comes back with none, and the person's rows
//            go. Where the copy's counts, that is said.
//   Basis:   where the other store is no salvage of the one that lies there as it is now, an opt-out since may be
//            missing from it: then it has no legal basis, and nothing leaves until a person sets one.
//   Rights:  run by root, all is done with the rights of the folder's owner, who may have put anything there.
//   Errors:  refused (a process has one of them open; one lies within the other), not_found, locked, tampered (what
//            would be put back is damaged), conflict (the store that lies there is another one), unsupported (the file
//            system of `records`: crypto/file_system.h), full, system.
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
    std::string replaced;          // the folder beside the records that the old files are in; empty: there were none
    bool basis_closed = false;     // nothing leaves until a person sets the legal basis
    bool went_on = false;          // an earlier one was cut off
    bool keys_of_the_copy = false; // people who were erased since it was made may be back
};

Result<Restored> restore(const std::filesystem::path& records, const std::filesystem::path& from,
                         const crypto::KeySlot& slot, const Clock& clock);

} // namespace clinic::salvage
