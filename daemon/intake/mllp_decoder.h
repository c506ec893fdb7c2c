// Takes MLLP frames out of a stream: 0B … 1C 0D, with the deviations seen in the field.
//   Rules:   bytes before 0B are dropped and counted; so are CR, LF and NUL between frames, uncounted.
//            0B inside a frame: the sender started again, the part before it is lost, and said so.
//            1C without 0D ends the frame and is counted, once it is sure that the frame does not go on; 1C inside a
//            frame is damage. The first bytes of a TLS or HTTP client: hang up.
//   Bounds:  frame_bytes_max: above, the frame is given up and its first segment kept, at most head_bytes_max of it.
//            junk_bytes_max between two frames: above, hang up.
//   Threads: one.
//   Source:  facts/health-interop §1.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace clinic::intake {

inline constexpr std::size_t frame_bytes_default = 1'048'576;
inline constexpr std::size_t frame_bytes_lowest = 65'536; // of what may be set
inline constexpr std::size_t frame_bytes_highest = 10'485'760;
inline constexpr std::size_t junk_bytes_max = 65'536;
inline constexpr std::size_t head_bytes_max = 4'096;

struct DecoderNumbers {
    std::uint64_t junk_bytes = 0; // outside of frames
    std::uint64_t bare_ends = 0;  // 1C without 0D, accepted
    std::uint64_t restarts = 0;   // 0B inside a frame
    std::uint64_t damaged = 0;    // 1C inside a frame
};

class MllpDecoder {
public:
    enum class Step : std::uint8_t {
        more,      // all bytes are taken
        frame,     // take() has a whole one
        damaged,   // take() has one that must not be acknowledged
        lost,      // one that had begun, and does not end
        oversized, // take() has the first segment of one; what follows is not to be read
        not_mllp,  // hang up, as for junk
        junk,
    };

    explicit MllpDecoder(std::size_t frame_bytes_max = frame_bytes_default) : frame_bytes_max_{frame_bytes_max} {}

    // Takes bytes from the front of `bytes` until something is to be done.
    Step feed(std::string_view& bytes);
    std::string take();

    // A frame stands complete but for the 0D: no more bytes came for a while.
    bool awaits_return() const { return state_ == State::after_end; }
    Step end_without_return();

    bool inside_frame() const { return state_ == State::inside || state_ == State::after_end; }
    std::size_t buffered_bytes() const { return frame_.size(); }
    const DecoderNumbers& numbers() const { return numbers_; }

private:
    enum class State : std::uint8_t { hello, between, inside, after_end };
    Step between(std::string_view& bytes);
    Step inside(std::string_view& bytes);
    Step after_end(std::string_view& bytes);
    Step give_up(std::string_view text);
    Step finish();
    bool is_foreign_hello() const;

    std::size_t frame_bytes_max_;
    State state_ = State::hello;
    bool damaged_ = false;
    std::size_t junk_in_row_ = 0;
    std::string hello_, frame_;
    DecoderNumbers numbers_;
};

} // namespace clinic::intake
