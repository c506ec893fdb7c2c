// What `packaging/try` asks of the supervisor: the listening sockets to hold and the programs to keep alive.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::supervise {

struct Socket {
    std::string name;
    enum class Kind { tcp, stream, seqpacket } kind = Kind::tcp;
    std::string address; // tcp: IPv4 literal; otherwise an absolute path
    unsigned short port = 0;
    mode_t mode = 0660;         // of a path
    std::optional<uid_t> owner; // of a path, where we may give it away
};

struct Program {
    std::string name;
    std::vector<std::string> command; // absolute path first
    std::vector<std::string> sockets; // by name, in the order they are handed over (sd_listen_fds(3))
    std::filesystem::path log;        // standard output and error, appended
    std::optional<uid_t> user;        // becomes this user before it starts; its group has the same number
};

struct Plan {
    std::filesystem::path pid_file;
    std::vector<Socket> sockets;
    std::vector<Program> programs; // started in this order, stopped in the reverse
};

Result<Plan> read_plan(const std::filesystem::path& path);

} // namespace clinic::supervise
