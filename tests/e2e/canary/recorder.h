// Stands between clinic-syncd and one of its far ends, with that end's certificate and clinic-syncd's own, and keeps
// what either says inside TLS: the exact bytes, before any broker or server has made something of them.
//   Threads: its own from start to stop; the texts may be asked for at any time.
#pragma once

#include <filesystem>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "crypto/base/owned.h"

namespace clinic::e2e {

class Recorder {
public:
    struct Ends {
        unsigned short listen, to;                            // on the loopback
        std::filesystem::path ca, certificate, key;           // what it shows to who connects
        std::filesystem::path client_certificate, client_key; // what it shows to the far end; empty: nothing
    };
    // Throws where the port or a file cannot be had.
    explicit Recorder(Ends ends);
    ~Recorder();
    Recorder(const Recorder&) = delete;
    Recorder& operator=(const Recorder&) = delete;

    std::string outward() const; // of all connections, one after the other
    std::string inward() const;

private:
    struct Talk {
        std::string outward, inward;
    };
    void listen(const std::stop_token& stop);
    void pass_on(const std::stop_token& stop, base::UniqueFd near, Talk& talk);

    const Ends ends_;
    base::UniqueFd socket_;
    mutable std::mutex mutex_;
    std::list<Talk> talks_;
    std::list<std::jthread> connections_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::e2e
