// One sender's connection: bytes in, frames out, answers back in the order of the frames. Private to the server.
//   Threads: the server's loop.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "crypto/base/clock.h"
#include "crypto/base/owned.h"
#include "daemon/intake/address_list.h"
#include "daemon/intake/mllp_decoder.h"

namespace clinic::intake {

struct MllpConnection {
    MllpConnection(base::UniqueFd socket, const Address& from, std::size_t frame_bytes_max, base::Micros now)
        : fd{std::move(socket)}, address{from}, decoder{frame_bytes_max}, heard_at{now}, taken_at{now} {}

    // A frame that waits for its answer; `number` counts the connection's frames.
    struct Slot {
        std::uint64_t number;
        std::size_t bytes;
        std::optional<std::string> answer;
    };

    base::UniqueFd fd;
    Address address;
    MllpDecoder decoder;
    DecoderNumbers told;              // of the decoder's numbers, already counted by the server
    std::size_t buffered = 0;         // of the decoder's bytes, already counted by the server
    std::string input;                // read and not yet decoded, because a bound was reached
    std::deque<Slot> slots;
    std::uint64_t frames = 0;
    std::string output;
    base::Micros heard_at;            // the last byte from the sender
    base::Micros taken_at;            // the last time that it took bytes of ours, or that there were none
    bool ended = false;               // the sender has closed its side
    std::uint32_t watched = 0;        // epoll events asked for

    // False: there is no such slot. Then moves what is next in order to `output`, framed.
    bool settle(std::uint64_t number, std::string text, std::size_t& bytes_released, std::uint64_t& answers);
};

}  // namespace clinic::intake
