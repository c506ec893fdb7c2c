// What a person gets who wants to trust the page: the authority that signed its certificate, where that is the box's
// own.
//   Threads: any; constant once read.
//   Source:  issue 6, item 5.
#pragma once

#include <filesystem>
#include <string>

namespace clinic::api {

struct Trust {
    std::string authority;   // PEM; empty: the certificate is somebody else's, and there is nothing to trust
    std::string fingerprint; // SHA-256, as browsers show it
};

// Reads both files. One that is missing, or that did not sign the page's certificate, is nothing to trust.
Trust read_trust(const std::filesystem::path& certificate, const std::filesystem::path& authority);

inline constexpr std::string_view trust_path = "/trust", authority_path = "/trust/clinic-edge.crt";

} // namespace clinic::api
