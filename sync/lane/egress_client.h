// One connection to clinicd: one request, one reply, both checked.
//   Errors:  offline (not connected, or the peer left), timeout, malformed (a reply that breaks the rules), refused
//            (clinicd refused the frame; the connection stays). All but `refused` close the connection, and what was
//            leased over it is clinicd's again.
//   Threads: one.
//   Source:  docs/egress.md.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <utility>
#include <variant>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "sync/envelope/frame.h"

namespace clinic::lane {

class EgressClient {
public:
    explicit EgressClient(std::filesystem::path socket);

    bool connected() const { return static_cast<bool>(socket_); }
    Result<void> connect(); // one try
    void close() { socket_.reset(); }

    Result<envelope::Reply> ask(const envelope::Request& request, std::chrono::milliseconds wait,
                                std::stop_token stop = {});

    // The reply that belongs to the request; another one closes the connection.
    template <class Wanted>
    Result<Wanted> ask_for(const envelope::Request& request, std::chrono::milliseconds wait,
                           std::stop_token stop = {}) {
        auto reply = ask(request, wait, std::move(stop));
        if (!reply) return reply.error();
        if (auto* wanted = std::get_if<Wanted>(&*reply)) return std::move(*wanted);
        if (std::holds_alternative<envelope::Refused>(*reply)) return Error{Errc::refused, "clinicd refused a frame"};
        close();
        return Error{Errc::malformed, "clinicd's reply is not the one asked for"};
    }

private:
    Result<void> await_reply(std::chrono::milliseconds wait, std::stop_token stop) const;

    std::filesystem::path path_;
    base::UniqueFd socket_;
    base::UniqueFd wake_;           // eventfd: a stop request ends the wait
    std::unique_ptr<char[]> frame_; // the newest reply
};

} // namespace clinic::lane
