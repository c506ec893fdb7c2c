// One sender's connection: bytes in, frames out, answers back in the order of the frames. Private to the server.
//   Threads: the server's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "crypto/base/clock.h"
#include "crypto/base/owned.h"
#include "daemon/intake/frame.h"
#include "daemon/intake/mllp_decoder.h"
#include "daemon/intake/tls_session.h"

namespace clinic::intake {

struct MllpConnection {
    // `context`: null for a plain connection.
    MllpConnection(base::UniqueFd socket, const Address& from, const TlsContext* context, std::size_t frame_bytes_max,
                   base::Micros now);

    // A frame that waits for its answer; `number` counts the connection's frames.
    struct Slot {
        std::uint64_t number;
        std::size_t bytes;
        std::optional<std::string> answer;
    };

    base::UniqueFd fd;
    std::shared_ptr<const Peer> peer;
    std::unique_ptr<TlsSession> tls; // null: plain
    MllpDecoder decoder;
    DecoderNumbers told;      // of the decoder's numbers, already counted by the server
    std::size_t buffered = 0; // of the decoder's bytes, already counted by the server
    std::string input;        // read and not yet decoded, because a bound was reached
    std::deque<Slot> slots;
    std::uint64_t frames = 0;
    std::string output; // as it goes on the wire
    base::Micros came_at;
    base::Micros heard_at;                // the last byte from the sender
    base::Micros taken_at;                // the last time that it took bytes of ours, or that there were none
    std::optional<base::Micros> frame_at; // when the frame that is coming in began
    std::optional<base::Micros> owes_end; // since when it is inside frames and has ended none
    bool ended = false;                   // the sender has closed its side
    // We take no more frames: what still comes is thrown away, so that the sender can read its last answer before the
    // end.
    bool leaving = false;
    std::optional<base::Micros> left_at; // since when it has all its answers, and we have closed our side
    std::size_t thrown_away = 0;
    std::uint32_t watched = 0; // epoll events asked for

    bool is_greeting() const { return tls && tls->state() == TlsSession::State::greeting; }
    // False: there is no such slot. Then moves what is next in order to `output`, framed.
    bool settle(std::uint64_t number, std::string text, std::size_t& bytes_released, std::uint64_t& answers);
};

} // namespace clinic::intake
