// Another program of this machine, run to its end.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::provisioning {

struct Ended {
    int exit = 0;              // as a shell counts: 128 and more for a signal
    crypto::SecureBytes out{}; // standard output, at most 64 KiB
};

// `words`: the program, found in PATH, and its arguments. `in`: at most 32 KiB. Its standard error is dropped.
// Errors: not_found (no such program), full (it says more than fits), system.
Result<Ended> run_program(const std::vector<std::string>& words, std::span<const std::byte> in = {});

} // namespace clinic::provisioning
