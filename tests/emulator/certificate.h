// A throw-away authority and a certificate for 127.0.0.1 and localhost, for tests.
#pragma once

#include <filesystem>

#include "crypto/base/result.h"

namespace clinic::emulator {

struct Certificate {
    std::filesystem::path authority;        // what clients trust
    std::filesystem::path certificate, key; // what the server shows
};

// Writes ca.pem, server.pem and server-key.pem (P-256, one day) into `folder`.
Result<Certificate> make_certificate(const std::filesystem::path& folder);

} // namespace clinic::emulator
