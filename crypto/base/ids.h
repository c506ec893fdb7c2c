// Ids that do not mix: a PatientId is not an AppointmentId, though both are a UUIDv7 (RFC 9562, 5.7).
// These stay inside the box: they are ordered by time. Ids that leave are random pseudonyms (clinic::envelope).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"

namespace clinic::base {

// 16 bytes; the canonical text form is 8-4-4-4-12 lower-case hexadecimal.
struct Uuid {
    std::array<std::byte, 16> bytes{};

    static Uuid v7(Timestamp at); // random part from the kernel
    static std::optional<Uuid> parse(std::string_view text);
    static std::optional<Uuid> from_bytes(std::span<const std::byte> bytes); // exactly 16
    std::string text() const;
    friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

template <class Tag>
struct Id {
    Uuid uuid;
    static Id make(Timestamp at) { return {Uuid::v7(at)}; }
    friend auto operator<=>(const Id&, const Id&) = default;
};

// A 64-bit row number with a type of its own.
template <class Tag>
struct Number {
    std::int64_t value = 0;
    friend auto operator<=>(const Number&, const Number&) = default;
};

void random_bytes(std::span<std::byte> out); // getrandom(2); stops the process if it fails

} // namespace clinic::base
