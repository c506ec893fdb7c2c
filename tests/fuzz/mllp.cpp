// A stream gives the same frames wherever it is split, and never one above the bound. The first byte says how to split.
#include <cassert>
#include <string>
#include <vector>

#include "daemon/intake/mllp_decoder.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;
using Step = intake::MllpDecoder::Step;

namespace {

constexpr std::size_t frame_bytes_max = 256;

std::vector<std::string> frames_of(std::string_view bytes, std::size_t part) {
    intake::MllpDecoder decoder{frame_bytes_max};
    std::vector<std::string> frames;
    while (!bytes.empty()) {
        std::string_view now = bytes.substr(0, part);
        bytes.remove_prefix(now.size());
        while (!now.empty()) {
            const Step step = decoder.feed(now);
            // A mark of damage may be one too many, and the next byte hangs up: then the head is kept, for the answer.
            assert(decoder.buffered_bytes() <=
                   (step == Step::oversized ? intake::head_bytes_max : frame_bytes_max + 1));
            if (step == Step::more || step == Step::lost) continue;
            if (step != Step::frame && step != Step::damaged) return frames;
            frames.push_back((step == Step::damaged ? "!" : " ") + decoder.take());
            assert(frames.back().size() <= 1 + frame_bytes_max); // our own mark and the frame
        }
    }
    return frames;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto bytes = fuzz::text_of(data + 1, size - 1);
    assert(frames_of(bytes, bytes.size()) == frames_of(bytes, 1 + data[0] % 16));
    return 0;
}
