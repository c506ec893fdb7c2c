// The listening sockets that the service manager (or a supervisor that speaks its protocol) hands over.
//   Threads: before the first one; the environment is cleared of LISTEN_*.
#pragma once

#include <string>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::systemd {

struct ListenFd {
    std::string name;      // FileDescriptorName=; "unknown" where none was given
    base::UniqueFd socket; // close-on-exec, listening
};

// Empty: none were handed over. Errors: malformed (not a listening socket, or the variables are wrong).
Result<std::vector<ListenFd>> listen_fds();

} // namespace clinic::systemd
