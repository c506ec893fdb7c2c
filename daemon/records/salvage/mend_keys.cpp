#include "daemon/records/salvage/mend_keys.h"

#include <algorithm>
#include <unordered_map>

#include "crypto/file_system.h"
#include "crypto/keystore.h"
#include "crypto/store_image.h"
#include "daemon/records/patients.h"
#include "daemon/records/restoring.h"
#include "daemon/records/salvage/folders.h"
#include "daemon/records/salvage/salvage.h"

namespace clinic::salvage {
namespace {

// Rows of people by key slot.
struct Person {
    std::int64_t row = 0;
    base::Uuid id;
    crypto::Bytes sealed;
};
using People = std::unordered_map<std::int64_t, Person>;

// Who has one of these slots, and data under its key.
People people_of(const crypto::StoreImage& image, const Survey& found, const std::vector<std::int64_t>& slots) {
    constexpr std::size_t id = 1, key_slot = 2, sealed = 10; // columns of patient as its records hold them
    People people;
    each_record(image, found, "patient", [&](std::int64_t row, const std::vector<Value>& values) {
        if (values.size() <= sealed) return;
        const auto* slot = std::get_if<std::int64_t>(&values[key_slot]);
        const auto *who = std::get_if<std::span<const std::byte>>(&values[id]),
                   *data = std::get_if<std::span<const std::byte>>(&values[sealed]);
        if (slot == nullptr || who == nullptr || data == nullptr || data->empty()) return;
        const auto uuid = base::Uuid::from_bytes(*who);
        if (uuid && std::ranges::binary_search(slots, *slot))
            people.insert_or_assign(*slot, Person{row, *uuid, {data->begin(), data->end()}});
    });
    return people;
}

} // namespace

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
    const Survey surveyed = survey(*image);
    const auto highest = highest_key_slot(*image, surveyed);
    const auto before = crypto::Keystore::examine(folder / "keys.db", wrapping, store, highest);
    CLINIC_TRY(before);
    const People people = people_of(*image, surveyed, before->damaged);
    const auto fits = [&](crypto::SlotId taken, const crypto::SecureBytes* key) {
        const auto who = people.find(taken.value);
        if (who == people.end()) return true; // nothing is under it
        const auto& [row, id, sealed] = who->second;
        return key != nullptr && records::is_key_of(*key, store, records::PatientId{id}, row, sealed);
    };
    const auto mended = crypto::Keystore::mend(folder / "keys.db", copy, wrapping, store, fits);
    CLINIC_TRY(mended);
    const auto found = crypto::Keystore::examine(folder / "keys.db", wrapping, store, highest);
    CLINIC_TRY(found);
    return KeysMended{.mended = *mended, .damaged = static_cast<std::int64_t>(found->damaged.size())};
}

} // namespace clinic::salvage
