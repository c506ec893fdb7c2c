// No way out: after `enter` this process has no network, no privileges, and no call that would get it one.
//   Order:   listening sockets and the notify socket are open already; network namespace; writes bound to the records;
//            own user; system call filter; only then threads. (docs/containment.md; facts/poco §2)
//   Threads: `enter` before the first thread. The rest: any.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crypto/base/result.h"
#include "daemon/containment/probe.h"

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

struct Options {
    std::optional<User> become;       // when started by root; never 0
    std::optional<uid_t> peer;        // clinic-syncd's user: must not be ours
    std::filesystem::path records;    // the one folder that is written
    std::filesystem::path credential; // the store's key file
    std::set<unsigned short> ports;   // of the listening sockets that were handed over
    std::set<std::string> doors;      // and the names of those that are UNIX sockets
    std::string bus = {};             // where the system bus listens; empty: it was not joined
};

// Errors: refused, where there is a thread already, or the user would be root; system, where a step that must not fail
// does (the drop of the user, the filter). A namespace that the machine refuses is no error: the parts say so.
// `last_connections`: as the user that we are from then on, before the filter: the bus tells its callers apart by it.
Result<void> enter(const Options& options, const std::function<void()>& last_connections = {});

// What holds, asked of the kernel now, for every thread. Touches no socket that is in use.
std::vector<Part> inspect(const Options& options);

// The ways that need a socket of their own, which `probe` made before `enter`.
std::vector<Part> try_ways(const Probe& probe);

} // namespace clinic::containment
