// GHL's end of a TLS connection for a test: a real server whose bytes the test writes, down to the half answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sync/support/certificates.h"

namespace clinic::support {

struct Received {
    std::string method, path, body;
    std::map<std::string, std::string> headers; // names in small letters
    int connection = 0;                         // counted from 1
};

struct Sent {
    std::string bytes;
    std::chrono::milliseconds silence{}; // before them; ended early when the server stops
    bool close = false;                  // afterwards, without a word in HTTP
};

// A whole answer with its length.
Sent answer(int status, const std::string& body, const std::string& more_headers = "");

class ScriptedHttps {
public:
    using Script = std::function<Sent(const Received&)>; // one at a time
    ScriptedHttps(const Leaf& leaf, Script script);
    ~ScriptedHttps();
    ScriptedHttps(const ScriptedHttps&) = delete;
    ScriptedHttps& operator=(const ScriptedHttps&) = delete;

    std::uint16_t port() const;
    std::vector<Received> received() const;
    int connections() const; // whose handshake was completed
    int closed() const;      // by us, after an answer that says so

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::support
