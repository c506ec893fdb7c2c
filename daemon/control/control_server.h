// control.sock: where clinicctl speaks to clinicd. Who asks is known by peer credentials; a command is a function.
//   Bounds:   4 questions at a time, the parts' bounds of wire.h.
//   Threads:  four of its own; a handler runs on one of them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::control {

struct Question {
    const nlohmann::json& args;
    std::string body; // empty where the command takes none
    uid_t asker;
    crypto::SecureBytes secret = {}; // of a command that takes one
};

// `exit` is clinicctl's exit status: 0 done, 1 needs a look, 2 not done.
struct Answer {
    int exit = 0;
    std::shared_ptr<nlohmann::json> data;
    crypto::SecureBytes secret = {}; // told behind the answer, and nowhere else
};

struct Command {
    bool takes_body = false;
    std::function<Result<Answer>(const Question&)> run;
    bool takes_secret = false;
};

using Commands = std::map<std::string, Command, std::less<>>;

// The name of a command that answers for every one that has no entry.
inline constexpr const char* any_other = "";

class ControlServer {
public:
    // `operators`: the users that may ask. Others are answered `unauthorized`.
    ControlServer(base::UniqueFd listener, std::vector<uid_t> operators, Commands commands);
    ~ControlServer();
    Result<void> start();

private:
    void serve(const std::stop_token& stop);
    void converse(int socket);
    struct Reply;
    Reply guarded_answer(int socket);
    Reply answer(int socket);

    base::UniqueFd listener_, stopping_;
    std::vector<uid_t> operators_;
    Commands commands_;
    std::mutex talking_mutex_;
    std::set<int> talking_; // sockets of open conversations
    bool ending_ = false;
    std::vector<std::jthread> threads_; // last: joined first
};

} // namespace clinic::control
