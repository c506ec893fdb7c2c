#include "provisioning/format.h"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace clinic::provisioning {

std::string format(const char* pattern, ...) {
    std::array<char, 512> text{};
    va_list values;
    va_start(values, pattern);
    std::vsnprintf(text.data(), text.size(), pattern, values);
    va_end(values);
    return text.data();
}

} // namespace clinic::provisioning
