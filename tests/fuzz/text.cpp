// Whatever the character set says, the text is UTF-8 afterwards. The first line is the character set's name.
#include <cassert>

#include "daemon/intake/text_encoding.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto all = fuzz::text_of(data, size);
    const auto name = all.substr(0, all.find('\n'));
    const auto bytes = name.size() < all.size() ? all.substr(name.size() + 1) : std::string_view{};
    const auto decoded = intake::to_utf8(bytes, name);
    assert(intake::is_utf8(decoded.text));
    const bool may_shift = bytes.find('\x1B') != std::string_view::npos; // ISO-2022: in ASCII bytes
    if (intake::is_utf8(bytes) && !may_shift) assert(decoded.text == bytes);
    assert(intake::is_utf8(intake::windows_1252_to_utf8(bytes)));
    return 0;
}
