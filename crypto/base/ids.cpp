#include "crypto/base/ids.h"

#include <sys/random.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace clinic::base {

void random_bytes(std::span<std::byte> out) {
    while (!out.empty()) {
        const ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        assert(got > 0);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

Uuid Uuid::v7(Timestamp at) {
    Uuid id;
    random_bytes(id.bytes);
    const auto millis = static_cast<std::uint64_t>(at.micros < 0 ? 0 : at.micros / 1'000);
    for (std::size_t i = 0; i < 6; ++i) id.bytes[i] = static_cast<std::byte>(millis >> (8 * (5 - i)));
    id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x70};
    id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    return id;
}

std::string Uuid::text() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(36);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        const auto value = std::to_integer<unsigned>(bytes[i]);
        out += digits[value >> 4];
        out += digits[value & 15];
    }
    return out;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != 36) return std::nullopt;
    Uuid id;
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') return std::nullopt;
        unsigned value = 0;
        for (int half = 0; half < 2; ++half) {
            const char c = text[at++];
            value <<= 4;
            if (c >= '0' && c <= '9')
                value |= static_cast<unsigned>(c - '0');
            else if (c >= 'a' && c <= 'f')
                value |= static_cast<unsigned>(c - 'a' + 10);
            else
                return std::nullopt;
        }
        id.bytes[i] = static_cast<std::byte>(value);
    }
    return id;
}

std::optional<Uuid> Uuid::from_bytes(std::span<const std::byte> bytes) {
    Uuid id;
    if (bytes.size() != id.bytes.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), id.bytes.begin());
    return id;
}

} // namespace clinic::base
