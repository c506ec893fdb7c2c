// A Debian 12 with a real systemd, in a container of this machine: what the package becomes on a clinic's box.
//   Needs:   root, debootstrap, systemd-nspawn (`packaging/dependencies test`), and a network the first time.
//   Errors:  thrown, with what the container said.
//   Threads: one. From `boot` on the calling thread is in the container's network.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "tests/e2e/box.h"

namespace clinic::e2e {

class Machine {
public:
    explicit Machine(
        const std::filesystem::path& deb); // prepared, not booted; the package lies in /root/clinic-edge.deb
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    void boot();      // to multi-user
    void power_cut(); // as if the plug were pulled: nothing in it is told
    void power_off();

    Ran in(const std::string& script);          // by sh -e, as root; both outputs
    Ran aside(const std::string& script) const; // by chroot: while it is off
    std::filesystem::path path(const std::string& inside) const { return folder_.path() / "root" / inside.substr(1); }
    // Becomes what `script` prints, or the empty text when it fails.
    std::string ask(const std::string& script);

    std::string environment; // NAME=VALUE, one more for each `in`

    pid_t process_outside(long inside) const; // the same process by this machine's number; -1: there is none

private:
    void enter_network() const;
    void end();

    fakes::TempFolder folder_;
    pid_t starter_ = -1, init_ = -1;
};

// The package of this tree, which the test `deb` builds; or the one that CLINIC_PACKAGE names.
std::filesystem::path built_package();

} // namespace clinic::e2e
