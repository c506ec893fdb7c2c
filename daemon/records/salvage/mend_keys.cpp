#include "daemon/records/salvage/mend_keys.h"

#include "crypto/file_system.h"
#include "crypto/keystore.h"
#include "crypto/store_image.h"
#include "daemon/records/restoring.h"
#include "daemon/records/salvage/folders.h"
#include "daemon/records/salvage/salvage.h"

namespace clinic::salvage {

Result<KeysMended> mend_keys(const std::filesystem::path& folder, const std::filesystem::path& copy,
                             const crypto::KeySlot& slot) {
    const auto owner = AsOwner::of(folder);
    CLINIC_TRY(owner);
    CLINIC_TRY(crypto::may_hold_a_store(folder));
    const auto held = hold(folder);
    CLINIC_TRY(held);
    if (!*held) return Error{Errc::refused, "the records' folder cannot be locked", "look at its disk and its owner"};
    CLINIC_TRY(records::none_is_put_back(folder));
    const auto image = crypto::StoreImage::open(folder / "records.db", slot);
    CLINIC_TRY(image);
    const auto wrapping = image->subkey(wrapping_subkey);
    const auto& store = image->superblock().store;
    const auto mended = crypto::Keystore::mend(folder / "keys.db", copy, wrapping, store);
    CLINIC_TRY(mended);
    const auto found =
        crypto::Keystore::examine(folder / "keys.db", wrapping, store, highest_key_slot(*image, survey(*image)));
    CLINIC_TRY(found);
    return KeysMended{.mended = *mended, .damaged = static_cast<std::int64_t>(found->damaged.size())};
}

} // namespace clinic::salvage
