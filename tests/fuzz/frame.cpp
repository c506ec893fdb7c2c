// A frame that is taken says the same when it is written and read again.
#include <cassert>

#include "sync/envelope/frame.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto bytes = fuzz::text_of(data, size);
    if (const auto request = envelope::decode_request(bytes)) {
        const std::string written = envelope::encode(*request);
        const auto again = envelope::decode_request(written);
        assert(again && envelope::encode(*again) == written);
    }
    if (const auto reply = envelope::decode_reply(bytes)) {
        const std::string written = envelope::encode(*reply);
        const auto again = envelope::decode_reply(written);
        assert(again && envelope::encode(*again) == written);
    }
    return 0;
}
