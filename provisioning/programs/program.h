// Another program of this machine, run to its end or to the end of our patience.
//   Threads: any; the caller's own waits.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::provisioning {

struct Ended {
    int exit = 0;              // as a shell counts: 128 and more for a signal
    crypto::SecureBytes out{}; // standard output
};

struct ProgramBounds {
    std::size_t out_bytes_max = 65'536;
    std::chrono::milliseconds patience{30'000}; // then it is killed
};

// `words`: the program, found in PATH, and its arguments. `in`: at most 32 KiB. Its standard error is dropped.
// Errors: not_found (no such program), full (it says more than fits), timeout, system.
Result<Ended> run_program(const std::vector<std::string>& words, std::span<const std::byte> in = {},
                          const ProgramBounds& bounds = {});

} // namespace clinic::provisioning
