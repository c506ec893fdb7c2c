// A time that is read is a time; what we write of it is read to the same second.
#include <cassert>

#include "daemon/intake/hl7_time.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto moment = intake::read_time(fuzz::text_of(data, size));
    if (!moment || !*moment) return 0;
    const auto again = intake::read_time(intake::hl7_time((*moment)->at));
    assert(again && *again && (*again)->at.micros / 1'000'000 == (*moment)->at.micros / 1'000'000);
    return 0;
}
