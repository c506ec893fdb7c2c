// A plain HTTPS client for tests that talk to the emulator: one connection, kept alive, certificate checked.
//   Threads: one.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace clinic::emulator {

struct Reply {
    bool answered = false; // false: timed out, refused or cut off
    int status = 0;
    std::map<std::string, std::string> headers; // names in lower case
    std::string body;
};

using Headers = std::map<std::string, std::string>;

class HttpsClient {
public:
    HttpsClient(int port, const std::filesystem::path& authority,
                std::chrono::milliseconds timeout = std::chrono::seconds{10});
    ~HttpsClient();
    HttpsClient(const HttpsClient&) = delete;
    HttpsClient& operator=(const HttpsClient&) = delete;

    Reply send(const std::string& method, const std::string& target, const Headers& headers, const std::string& body);
    // Without token and version: the emulator's own paths.
    Reply get(const std::string& target) { return send("GET", target, {}, ""); }
    Reply post(const std::string& target, const std::string& body) { return send("POST", target, {}, body); }

private:
    struct Inside;
    std::unique_ptr<Inside> inside_;
};

} // namespace clinic::emulator
