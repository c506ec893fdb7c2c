// What is taken as an envelope is exactly what we would have written.
#include <cassert>

#include "sync/envelope/envelope.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = fuzz::text_of(data, size);
    const auto decoded = envelope::MetadataEnvelope::decode(bytes);
    if (!decoded) return 0;
    assert(size <= envelope::envelope_bytes_max);
    assert(decoded->encode() == bytes);
    for (const char c : bytes) assert(c >= ' ' && c < 0x7F);
    return 0;
}
