// A network of the test's own in which nothing is lost: every packet is seen, and what has nowhere to go leads to a
// cable without an end, by IPv4 and IPv6, so that a question to a resolver or a call home is a packet and not an
// error.
//   Threads: one of its own from start to stop.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::e2e {

// Before the first thread; as root. False: this machine allows no network of one's own.
bool enter_own_network();

class WireTap {
public:
    // `known`: the box's ports; `inbound`: the one on which patient data comes in, whose bytes are not kept where they
    // come in, over the loopback.
    WireTap(std::set<unsigned short> known, unsigned short inbound);
    ~WireTap();
    WireTap(const WireTap&) = delete;
    WireTap& operator=(const WireTap&) = delete;

    std::vector<std::string> strays() const; // packets that are none of the box's business, in words
    std::string bytes() const;               // of all packets but the inbound ones
    bool saw_all() const;                    // the kernel dropped none

private:
    void run(const std::stop_token& stop);
    void take(const std::string& bytes, bool loopback);

    std::set<unsigned short> known_;
    unsigned short inbound_;
    base::UniqueFd socket_;
    mutable std::mutex mutex_;
    std::vector<std::string> strays_;
    std::string bytes_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::e2e
