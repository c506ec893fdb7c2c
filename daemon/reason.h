// Why somebody does what they ask for. It is kept for six years: no name belongs into it (docs/audit.md).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "crypto/base/result.h"

namespace clinic::daemon {

// The argument "reason". Errors: refused, where it is none: 4 to 200 characters in UTF-8, no control characters.
Result<std::string> reason(const nlohmann::json& args);

} // namespace clinic::daemon
