// No way out: after `enter` this process has no network, no privileges, and no call that would get it one.
//   Order:   listening sockets and the bus are open already; network namespace; own user; system call filter;
//            only then threads. (design, "No way out"; facts/poco §2)
//   Threads: `enter` before the first thread. The rest: any.
#pragma once

#include <sys/types.h>

#include <optional>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::containment {

// A promise, and whether the kernel says that it holds.
struct Part {
    Literal name;
    bool holds;
    Literal detail;
};

struct User {
    uid_t uid;
    gid_t gid;
};

// Sockets that were made while there was a network: what code inside would try to get out with.
class Probe {
public:
    // Before `enter`: a listener and an accepted connection on the loopback, and a listener of the other side.
    static Result<Probe> make();
    // After `enter`: tries each way out; one part for each. Holds = every try was refused.
    std::vector<Part> try_every_way() const;

private:
    base::UniqueFd target_, listener_, client_, accepted_;
    unsigned short target_port_ = 0;
};

struct Options {
    std::optional<User> become; // when started by root; never 0
    std::optional<uid_t> peer;  // clinic-syncd's user: must not be ours
};

// Errors: system, where a step that must not fail does (the drop of the user, the filter); a namespace that the
// machine refuses is no error: the parts say so.
Result<void> enter(const Options& options);

// What holds, asked of the kernel now.
std::vector<Part> inspect(const Options& options, const Probe& probe);

} // namespace clinic::containment
