// To what systemd-creds(1) sealed a key: its file says so before anything is opened.
//   Source:  systemd, src/shared/creds-util.h: a file is base64, and begins with 16 bytes that name the way.
//   Threads: values; any.
#pragma once

#include <cstdint>
#include <string_view>

namespace clinic::provisioning {

enum class SealedTo : std::uint8_t {
    host,  // the host's key alone: who has the disk has that, too
    tpm,   // the TPM, and the host's key besides
    other, // not a file of systemd-creds, or of a way that is not ours
};

SealedTo sealed_to(std::string_view file);

} // namespace clinic::provisioning
