// A new key of this machine for the store's slot, where the one it had is lost: sealed to the machine as
// docs/package.md has it.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"

namespace clinic::provisioning {

// Seals it as keys/clinic-edge.store below `etc`. A sealed key that does not open on this machine is kept as
// before.1.clinic-edge.store, or by the next number. As root.
// Errors: refused (there is one, and it opens here), system.
Result<void> make_machine_key(const std::filesystem::path& etc);

} // namespace clinic::provisioning
