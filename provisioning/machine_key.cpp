#include "provisioning/machine_key.h"

#include "crypto/seal.h"
#include "provisioning/page_trust/sealed_keys.h"

namespace clinic::provisioning {
namespace {

constexpr const char* name = "clinic-edge.store";
constexpr const char* before = "before.clinic-edge.store"; // not offered to a unit

} // namespace

Result<void> make_machine_key(const std::filesystem::path& etc) {
    const SealedKeys keys{etc / "keys"};
    const auto there = keys.get(name, name);
    if (!there && there.error().code != Errc::locked) return there.error();
    if (there && *there)
        return Error{Errc::refused, "this machine has its key, and it opens",
                     "leave --new-key away: the slot is made for the key that is there"};
    if (!there) CLINIC_TRY(keys.rename(name, before));
    const auto key = crypto::SecureBytes::random(crypto::key_bytes);
    return keys.put(name, name, key.bytes());
}

} // namespace clinic::provisioning
