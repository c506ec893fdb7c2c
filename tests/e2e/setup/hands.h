// In the place of systemd, for a box of packaging/try: on a bus of its own, under the service manager's name, it starts
// clinicd and clinic-syncd anew when it is asked to, and says when it has: as systemd does, not before the one that ran
// is gone.
//   Needs:   root.
//   Threads: its own; one on the calling side.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "tests/support/private_bus.h"

namespace clinic::e2e {

class Hands : public test_support::OnTheBus {
public:
    Hands(const test_support::PrivateBus& bus, std::filesystem::path box);
    ~Hands() override { stop(); }
    void fail(bool each) { fails_ = each; } // no unit starts

private:
    struct Job {
        std::string path, unit;
        std::future<bool> done;
    };
    static int restart(sd_bus_message* call, void* hands, void* error);
    void turn() override;

    const std::filesystem::path box_;
    std::atomic<bool> fails_{false};
    std::uint32_t jobs_ = 0;
    std::vector<Job> running_;
};

} // namespace clinic::e2e
