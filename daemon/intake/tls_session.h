// TLS for one connection, apart from its socket: wire bytes in, text and wire bytes out. So the loop that owns the
// socket needs to know nothing of TLS but these calls.
//   Rules:   1.2 or 1.3; the client must show a certificate of the given CA; no renegotiation, tickets or compression.
//   Errors:  TlsContext::read: malformed. A session's trouble is its state `failed`; the alert for the client is in
//   `wire`. Bounds:  names_max names of a certificate, of at most 255 bytes. Threads: a session is one thread's; a
//   context any. Source:  design; IHE ATNA ITI-19 (mutual TLS for MLLP); facts/health-interop §4 (transmission).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace clinic::intake {

inline constexpr std::size_t names_max = 32;

struct TlsFiles {
    std::filesystem::path certificate, key; // PEM; the certificate with its chain
    std::filesystem::path client_ca;        // PEM: who may say who a sender is
};

class TlsContext {
public:
    static Result<std::shared_ptr<const TlsContext>> read(const TlsFiles& files);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

private:
    friend class TlsSession;
    explicit TlsContext(ssl_ctx_st* context) : context_{context} {}
    ssl_ctx_st* context_;
};

class TlsSession {
public:
    enum class State : std::uint8_t { greeting, open, closed, failed };

    explicit TlsSession(const TlsContext& context);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    State state() const { return state_; }
    // What came from the client. Appends what it says to `plain`, and what must go back to `wire`.
    void take(std::string_view bytes, std::string& plain, std::string& wire);
    void say(std::string_view plain, std::string& wire);
    void end(std::string& wire);            // we say no more
    std::vector<std::string> names() const; // of the client's certificate: CN and DNS names

private:
    void read_all(std::string& plain);
    void drain(std::string& wire);
    ssl_st* session_;
    bio_st* from_client_; // both the session's
    bio_st* to_client_;
    State state_ = State::greeting;
};

} // namespace clinic::intake
