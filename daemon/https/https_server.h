// HTTPS on a listening socket that was handed over: what any program of the box says to a browser goes through here.
//   Bounds:  Options; GET and HEAD alone, no body is taken (gate.h). TLS 1.3 alone.
//   Threads: an accept thread and up to `threads_max` workers, which call the Site. No socket is made and no name
//   looked
//            up after `make`, so a system call filter may be in force.
//   Source:  facts/poco §1, §3, §4.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "crypto/base/vitals.h"
#include "crypto/listener/connections.h"
#include "daemon/https/gate.h"

namespace clinic::https {

using listener::Connections;

struct Answer {
    int status = 200;
    std::string type;
    std::string body;
};

inline constexpr const char* html_type = "text/html; charset=utf-8";
inline constexpr const char* json_type = "application/json";

enum class Form : std::uint8_t { page, json }; // of an error: what the path is for
Form form_of(std::string_view path);
Answer refusal(const Refusal& why, Form form);

inline constexpr Refusal not_found{404, "not_found", "refused.not_found"};
inline constexpr Refusal too_many{503, "too_many_viewers", "refused.busy"};

// Takes a viewer's connection over and gives the worker back.
class Stream {
public:
    Stream() = default;
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    virtual bool has_room() const = 0;
    // `head` is the answer's head, sent first. False: no room after all.
    virtual bool add(const Poco::Net::StreamSocket& socket, std::string head) = 0;
};

// What is at which path, for requests that passed the gate. Called by many workers at once.
class Site {
public:
    Site() = default;
    virtual ~Site() = default;
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;
    virtual std::optional<Answer> document(std::string_view path) = 0; // nullopt: nothing is there
    virtual bool has(std::string_view path) const = 0;                 // a document or a stream
    virtual Stream* stream(std::string_view path) = 0;                 // of server-sent events; null: none is there
};

struct Options {
    std::filesystem::path certificate, key;    // PEM; the certificate with its chain
    std::vector<std::string> hosts;            // names of this box in a URL, besides localhost and numeric addresses
    int threads_max = 640;                     // a keep-alive connection holds one; the last sixteenth is in reserve
    int connections_per_network_max = 512;     // that hold a worker
    int other_descriptors = 256;               // what the program has open besides
    bool keep_alive = true;                    // false: each connection is for one request
    std::chrono::seconds read_timeout{5};      // between two reads of a request
    std::chrono::seconds keep_alive_time{10};  // between two requests
    std::chrono::seconds request_time_max{15}; // from the end of one answer to the end of the next request's head
    base::Pulse accepting = {};
    std::function<bool()> may_accept = {}; // asked while a guest waits, four times a second; not set: always
};

struct Numbers {
    std::int64_t connections = 0, threads = 0; // connections that hold a worker or wait for one
    std::int64_t requests = 0, refused_requests = 0, unreadable_requests = 0, unfinished_requests = 0;
    std::int64_t refused_connections = 0, displaced_connections = 0, overdue_connections = 0;
};

class HttpsServer {
public:
    // `site` outlives it. Errors: malformed (certificate or key).
    static Result<std::unique_ptr<HttpsServer>> make(const Options& options, Site& site);
    ~HttpsServer(); // ends every connection

    Result<void> serve(base::UniqueFd listener); // once. Errors: system
    void stop();                                 // nobody comes in any more, and every connection ends
    Connections& connections();                  // whose owner calls end_overdue, about each second
    Numbers numbers() const;

private:
    struct State;
    explicit HttpsServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace clinic::https
