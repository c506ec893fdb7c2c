// Whom an operator means: by a record number, or by what GHL calls them.
//   Threads: the store's.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "crypto/base/result.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

// The arguments "pid" or "number". Nothing: the question names nobody. Errors: not_found; conflict: several have it.
Result<std::optional<records::PatientId>> whom(records::Session& session, const nlohmann::json& args);

} // namespace clinic::daemon
