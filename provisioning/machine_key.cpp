#include "provisioning/machine_key.h"

#include <string>

#include "crypto/seal.h"
#include "provisioning/page_trust/sealed_keys.h"

namespace clinic::provisioning {
namespace {

constexpr const char* name = "clinic-edge.store";

// "before.1.clinic-edge.store", which is offered to no unit: the first such name that is free.
std::string name_for_the_old(const std::filesystem::path& folder) {
    for (int i = 1;; ++i) {
        std::string made = "before." + std::to_string(i) + "." + name;
        std::error_code none;
        if (!std::filesystem::exists(folder / made, none)) return made;
    }
}

} // namespace

Result<void> make_machine_key(const std::filesystem::path& etc) {
    const SealedKeys keys{etc / "keys"};
    const auto there = keys.get(name, name);
    if (!there && there.error().code != Errc::locked) return there.error();
    if (there && *there)
        return Error{Errc::refused, "this machine has its key, and it opens",
                     "restart clinicd: it is given the key that is there at its start"};
    if (!there) CLINIC_TRY(keys.rename(name, name_for_the_old(etc / "keys")));
    const auto key = crypto::SecureBytes::random(crypto::key_bytes);
    return keys.put(name, name, key.bytes());
}

} // namespace clinic::provisioning
