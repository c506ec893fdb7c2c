#include "daemon/intake/mllp_decoder.h"

#include <algorithm>
#include <array>
#include <utility>

namespace clinic::intake {
namespace {

constexpr char frame_begin = '\x0B', frame_end = '\x1C', carriage_return = '\r';
constexpr std::size_t hello_bytes = 8;

bool is_filler(char c) {
    return c == '\r' || c == '\n' || c == '\0';
}

} // namespace

bool MllpDecoder::is_foreign_hello() const {
    static constexpr std::array<std::string_view, 9> hellos = {"GET ",    "POST ",    "PUT ",   "HEAD ",   "OPTIONS ",
                                                               "DELETE ", "CONNECT ", "PRI * ", "\x16\x03"};
    for (const auto hello : hellos)
        if (hello_.compare(0, hello.size(), hello) == 0) return true;
    return false;
}

MllpDecoder::Step MllpDecoder::feed(std::string_view& bytes) {
    while (!bytes.empty()) {
        const Step step = state_ == State::inside      ? inside(bytes)
                          : state_ == State::after_end ? after_end(bytes)
                                                       : between(bytes);
        if (step != Step::more) return step;
    }
    return Step::more;
}

MllpDecoder::Step MllpDecoder::between(std::string_view& bytes) {
    while (!bytes.empty()) {
        const char c = bytes.front();
        bytes.remove_prefix(1);
        if (c == frame_begin) {
            state_ = State::inside;
            junk_in_row_ = 0;
            return Step::more;
        }
        if (state_ == State::hello) {
            hello_.push_back(c);
            if (is_foreign_hello()) return Step::not_mllp;
            if (hello_.size() == hello_bytes) state_ = State::between;
        }
        if (is_filler(c)) continue;
        ++numbers_.junk_bytes;
        if (++junk_in_row_ > junk_bytes_max) return Step::junk;
    }
    return Step::more;
}

MllpDecoder::Step MllpDecoder::inside(std::string_view& bytes) {
    static constexpr char marks[] = {frame_begin, frame_end};
    const std::size_t at = bytes.find_first_of(std::string_view{marks, sizeof marks});
    const std::string_view text = bytes.substr(0, at);
    if (frame_.size() + text.size() > frame_bytes_max_) return give_up(text);
    frame_ += text;
    bytes.remove_prefix(text.size());
    if (bytes.empty()) return Step::more;
    const char mark = bytes.front();
    bytes.remove_prefix(1);
    if (mark == frame_end) {
        state_ = State::after_end;
        return Step::more;
    }
    const bool lost = !frame_.empty();
    if (lost) ++numbers_.restarts;
    frame_.clear();
    damaged_ = false;
    return lost ? Step::lost : Step::more;
}

// Enough stays for an answer that the sender can match to its message.
MllpDecoder::Step MllpDecoder::give_up(std::string_view text) {
    if (frame_.size() < head_bytes_max) frame_ += text.substr(0, head_bytes_max - frame_.size());
    frame_.resize(std::min(frame_.size(), head_bytes_max));
    const std::size_t end = frame_.find_first_of("\r\n", frame_.find_first_not_of("\r\n"));
    if (end != std::string::npos) frame_.resize(end);
    frame_.shrink_to_fit();
    state_ = State::between;
    damaged_ = false;
    return Step::oversized;
}

// After 1C: 0D is the rule. What may stand between frames, or the next 0B, says that the 0D was left out. Any other
// byte says that the frame goes on and the 1C is damage: to end here would acknowledge half a message.
MllpDecoder::Step MllpDecoder::after_end(std::string_view& bytes) {
    const char c = bytes.front();
    if (c == carriage_return) {
        bytes.remove_prefix(1);
        return finish();
    }
    if (c == frame_begin || is_filler(c)) return end_without_return();
    if (c == frame_end) { // doubled: nothing is lost by it
        bytes.remove_prefix(1);
        return Step::more;
    }
    damaged_ = true;
    frame_.push_back(' ');
    state_ = State::inside;
    return Step::more;
}

MllpDecoder::Step MllpDecoder::end_without_return() {
    ++numbers_.bare_ends;
    return finish();
}

MllpDecoder::Step MllpDecoder::finish() {
    state_ = State::between;
    if (damaged_) ++numbers_.damaged;
    return std::exchange(damaged_, false) ? Step::damaged : Step::frame;
}

std::string MllpDecoder::take() {
    return std::exchange(frame_, {});
}

} // namespace clinic::intake
