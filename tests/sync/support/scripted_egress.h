// clinicd's end of egress.sock for a test: a real SOCK_SEQPACKET listener whose answers the test writes.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "sync/envelope/frame.h"
#include "tests/fakes/eventually.h"

namespace clinic::support {

class ScriptedEgress {
public:
    // Called for each frame, one at a time; nothing: the connection is closed without an answer.
    using Answer = std::function<std::optional<envelope::Reply>(const envelope::Request&)>;

    ScriptedEgress(std::filesystem::path socket, Answer answer);
    ~ScriptedEgress() = default;

    template <class Frame>
    std::vector<Frame> seen() const {
        const std::lock_guard lock{mutex_};
        std::vector<Frame> out;
        for (const auto& request : requests_)
            if (const auto* frame = std::get_if<Frame>(&request)) out.push_back(*frame);
        return out;
    }
    int connections() const { return connections_; }

private:
    void run(const std::stop_token& stop);
    void serve(int fd, std::vector<base::UniqueFd>& open);

    Answer answer_;
    base::UniqueFd listener_;
    mutable std::mutex mutex_;
    std::vector<envelope::Request> requests_;
    std::atomic<int> connections_{0};
    std::jthread thread_;
};

using fakes::eventually;

} // namespace clinic::support
