// The status page, the status document, live events and metrics over HTTPS, on a listening socket that was handed over.
//   Routes:  GET and HEAD of /, /help/E####, /assets/…, /api/v1/status, /api/v1/events, /api/health, /metrics.
//            Everything else is refused; no body is taken; there is no log-in here and no patient data.
//   Bounds:  Options. TLS 1.3 alone.
//   Threads: an accept thread, up to `threads_max` workers, one for live events and time-outs. No socket is made and
//            no name looked up after `make`, so the system call filter may be in force.
//   Source:  issue 3, item 9; facts/poco §1, §3, §4.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "crypto/base/vitals.h"
#include "daemon/health/health.h"
#include "daemon/https/https_server.h"

namespace clinic::api {

struct Options {
    std::filesystem::path certificate, key;    // PEM; the certificate with its chain
    std::filesystem::path authority;           // PEM, of the box's own; empty or not there: none
    std::vector<std::string> hosts;            // names of this box in a URL, besides localhost and numeric addresses
    int threads_max = 640;                     // a keep-alive connection holds one; the last sixteenth is in reserve
    int connections_per_network_max = 512;     // that hold a worker
    int viewers_max = 1'100;                   // of live events; each about 30 KB
    std::chrono::seconds read_timeout{5};      // between two reads of a request
    std::chrono::seconds keep_alive{10};       // between two requests
    std::chrono::seconds request_time_max{15}; // from the end of one answer to the end of the next request's head
    base::Pulse accepting = {}, telling = {};  // the accept thread's, and that of live events and time-outs
};

struct Numbers : https::Numbers {
    std::int64_t viewers = 0, dropped_viewers = 0;
};

class ApiServer {
public:
    // Serves from here on. Errors: malformed (certificate or key), system.
    static Result<std::unique_ptr<ApiServer>> make(const Options& options, base::UniqueFd listener,
                                                   health::Health& health);
    ~ApiServer(); // ends every connection
    Numbers numbers() const;

private:
    class Clinic;
    explicit ApiServer(std::unique_ptr<Clinic> clinic);
    std::unique_ptr<Clinic> clinic_;
};

} // namespace clinic::api
