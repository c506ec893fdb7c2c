// What clinicd holds open: nothing that reaches further than what was handed over. One judgement, for clinicd's own
// look and for clinicctl's, which takes the sockets with pidfd_getfd to ask the kernel the same questions.
//   Threads: any.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::containment {

struct Declared {
    std::set<unsigned short> ports; // of the listening sockets of the network
    std::set<std::string> doors;    // names of the listening UNIX sockets; an abstract one begins with a zero byte
    std::filesystem::path records;  // the one folder that is written
    std::string notify;             // NOTIFY_SOCKET; empty: none
    std::string bus;                // where the system bus listens; empty: it is not joined
    pid_t process = 0;              // whose folder below /proc is its own
};

// One descriptor, as the kernel shows it to whoever looks.
struct Held {
    int number;       // in the process that is looked at
    std::string link; // of /proc/PID/fd
    struct stat about;
    int flags;  // of open(2)
    long kind;  // of the file system, of statfs(2)
    int socket; // this process's descriptor of the same socket; -1 where it is none
};

// The descriptors of this process.
std::vector<Held> own_descriptors();

// The first thing that is a way out, by its kind; nullopt: there is none. A way out is whatever is not one of these: a
// declared listener, a connection of its name or port, the notify socket, one to the bus, the kernel's plain helpers
// (events, timers), devices without content, the records, files that are only read, and as standard output and error a
// file that others cannot read, or the journal's socket. An accepted connection and one that was made outward from a
// listener's own port look the same.
std::optional<Literal> undeclared(const std::vector<Held>& all, const Declared& declared);

// Where standard output and error go, for a person.
Literal output_of(const std::vector<Held>& all);

// The name that a UNIX socket has, or its peer; empty: none.
std::string name_of(int socket);
std::string peer_name_of(int socket);

} // namespace clinic::containment
