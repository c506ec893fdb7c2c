// Readiness, stopping and the watchdog, told to the service manager; nothing happens where there is none.
//   The socket is made and connected once, early: clinicd may make none later (docs/containment.md).
//   Threads: any.
#pragma once

#include <chrono>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::systemd {

class Notifier {
public:
    static Notifier open(); // from NOTIFY_SOCKET

    void ready() const;
    void stopping() const;
    void watchdog() const;
    // How often the manager waits for watchdog(); zero: not at all.
    std::chrono::microseconds watchdog_patience() const { return patience_; }

private:
    void tell(Literal state) const;

    base::UniqueFd socket_;
    std::chrono::microseconds patience_{};
};

} // namespace clinic::systemd
