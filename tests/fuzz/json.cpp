// What parses is within its bounds, and what we write of it parses to the same.
#include <cassert>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t bytes_max = 4096;
    constexpr int depth_max = 8;
    const auto parsed = base::parse_json(fuzz::text_of(data, size), bytes_max, depth_max);
    if (!parsed) return 0;
    assert(size <= bytes_max);
    const auto again = base::parse_json(base::dump_json(*parsed), 16 * bytes_max, depth_max);
    assert(again && *again == *parsed);
    return 0;
}
