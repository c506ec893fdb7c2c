// What may be read by everybody of a file with certificates.
//   Threads: values; any.
#pragma once

#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace clinic::setup {

// Its CERTIFICATE blocks, each with its two marks, as they stand there; all between them is left out.
// Errors: malformed (none is whole), refused (a private key is in it as well).
Result<std::string> certificates_in(std::string_view pem);

} // namespace clinic::setup
