// Holds the listening sockets and keeps the programs alive: one that dies is started again within a second,
// and its clients wait in the socket's queue meanwhile. For `packaging/try`; on a box systemd does this.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "crypto/base/owned.h"
#include "packaging/supervise/plan.h"

namespace clinic::supervise {

class Supervisor {
public:
    explicit Supervisor(Plan plan) : plan_{std::move(plan)} {}

    Result<void> open_sockets();
    Result<void> run(); // until SIGTERM or SIGINT; then stops all, last started first

private:
    struct Running {
        const Program* program;
        pid_t pid = 0;
        std::chrono::steady_clock::time_point started, restart_at;
    };

    pid_t start(const Program& program);
    [[noreturn]] void become(const Program& program);
    void reap();
    void start_due();
    void stop_all();

    Plan plan_;
    std::map<std::string, base::UniqueFd> sockets_;
    std::vector<Running> running_;
};

} // namespace clinic::supervise
