// Octets as the C libraries want them, and numbers as our formats hold them: big-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace clinic::crypto {

inline unsigned char* octets(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
inline const unsigned char* octets(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

template <class Range>
auto* octets(Range&& bytes) {
    return octets(std::data(bytes));
}

template <class Unsigned>
void put_number(std::span<std::byte> at, Unsigned value) {
    for (std::size_t i = sizeof value; i-- > 0; value = static_cast<Unsigned>(value >> 8U))
        at[i] = static_cast<std::byte>(value & 0xFFU);
}

template <class Unsigned>
Unsigned get_number(std::span<const std::byte> at) {
    Unsigned value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        value = static_cast<Unsigned>((value << 8U) | static_cast<Unsigned>(at[i]));
    return value;
}

} // namespace clinic::crypto
