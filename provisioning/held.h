// The descriptors of another process. Its sockets are taken (pidfd_getfd), so that the kernel answers about each
// whatever network it is of; they are given back when this goes. As root.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <set>
#include <vector>

#include "crypto/base/owned.h"
#include "daemon/containment/descriptors/descriptors.h"

namespace clinic::provisioning {

class Descriptors {
public:
    // nullopt: the process is gone, or its sockets cannot be taken.
    static std::optional<Descriptors> of(pid_t process);

    const std::vector<containment::Held>& all() const { return all_; }
    bool listens_at(const std::filesystem::path& door) const;
    // The processes at the other end of what was accepted at `doors`, `control` aside, as they were when they
    // connected.
    std::set<pid_t> callers(const std::set<std::string>& doors, const std::filesystem::path& control) const;

private:
    std::vector<containment::Held> all_;
    std::vector<base::UniqueFd> taken_;
};

} // namespace clinic::provisioning
