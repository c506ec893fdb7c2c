#include "systemd/listen_fds.h"

#include <systemd/sd-daemon.h>

#include <cstdlib>

namespace clinic::systemd {

Result<std::vector<ListenFd>> listen_fds() {
    char** names = nullptr;
    const int count = sd_listen_fds_with_names(1, &names);
    std::vector<ListenFd> out;
    bool listening = count >= 0;
    for (int i = 0; i < count; ++i) {
        base::UniqueFd socket{SD_LISTEN_FDS_START + i};
        listening = listening && sd_is_socket(socket.get(), 0, 0, 1) > 0;
        out.push_back({names != nullptr && names[i] != nullptr ? names[i] : "unknown", std::move(socket)});
    }
    for (int i = 0; i < count && names != nullptr; ++i) std::free(names[i]);
    std::free(static_cast<void*>(names));
    if (count < 0)
        return Error{
            Errc::malformed, "the sockets handed over cannot be taken", "see LISTEN_FDS and LISTEN_PID", {}, -count};
    if (!listening)
        return Error{Errc::malformed, "what was handed over is not a listening socket", "see the .socket unit"};
    return out;
}

} // namespace clinic::systemd
