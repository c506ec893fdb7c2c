// Any bytes as a message: what parses can be walked, mapped and answered, and the answer never breaks its own frame.
#include <cassert>

#include "daemon/intake/hl7_ack.h"
#include "daemon/intake/hl7_event.h"
#include "daemon/intake/hl7_message.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

namespace {

constexpr Timestamp now{1'795'255'200'000'000};
constexpr int fields_walked = 24;

void walk(const intake::Message& message) {
    for (const intake::Segment& segment : message.segments())
        for (int number = 1; number <= fields_walked; ++number)
            for (const auto repetition : message.repetitions(segment, number)) {
                static_cast<void>(message.decoded(message.component(repetition, 1)));
                static_cast<void>(message.subcomponent(repetition, 2, 2));
            }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = fuzz::text_of(data, size);
    if (bytes.find_first_of("\x0B\x1C") != std::string_view::npos) return 0; // the frame's marks: never inside one
    const auto header = intake::read_header(bytes);
    const auto known = header ? std::optional{*header} : std::nullopt;
    const std::string ack = intake::answer(known, intake::Outcome::stored, std::nullopt, now);
    assert(ack.starts_with("MSH") && ack.find('\x0B') == std::string::npos && ack.find('\x1C') == std::string::npos);
    const auto message = intake::parse(bytes);
    if (!message) return 0;
    assert(!message->segments().empty() && message->segments().size() <= intake::segments_max);
    walk(*message);
    static_cast<void>(intake::read_order(*message, {}, now));
    return 0;
}
