#include <algorithm>
#include <array>
#include <cassert>

#include "crypto/base/ids.h"
#include "sync/envelope/closed_object.h"
#include "sync/envelope/envelope.h"
#include "sync/envelope/names.h"

namespace clinic::envelope {
namespace {

// Each digit from five bits of a byte of its own: no bias, and no arithmetic over 128 bits to get wrong.
// 26 digits could hold 130 bits; the first is kept below 8, so that it is 128.
template <std::size_t Digits>
std::string random_digits(unsigned first_mask) {
    std::array<std::byte, Digits> bytes{};
    base::random_bytes(bytes);
    std::string out;
    for (const std::byte byte : bytes) {
        const unsigned mask = out.empty() ? first_mask : 31U;
        out += crockford[std::to_integer<unsigned>(byte) & mask];
    }
    return out;
}

} // namespace

const char* name(Destination value) {
    return name_of(value);
}
const char* name(Kind value) {
    return name_of(value);
}
const char* name(Stage value) {
    return name_of(value);
}
const char* name(Channel value) {
    return name_of(value);
}
const char* name(ApptStatus value) {
    return name_of(value);
}
const char* name(Visit value) {
    return name_of(value);
}
const char* name(Scope value) {
    return name_of(value);
}
const char* name(Grant value) {
    return name_of(value);
}
const char* name(Reason value) {
    return name_of(value);
}
const char* name(Bucket value) {
    return name_of(value);
}
const char* name(Part part) {
    return name_of(part);
}
const char* name(Lack lack) {
    return name_of(lack);
}
const char* name(Route route) {
    return name_of(route);
}

std::optional<Kind> companion(Kind kind) {
    switch (kind) {
    case Kind::contact_state: return Kind::appt_state;
    case Kind::appt_state: return Kind::contact_state;
    case Kind::consent_state:
    case Kind::contact_suppress:
    case Kind::contact_merge:
    case Kind::case_state:
    case Kind::booking_state: break;
    }
    return std::nullopt;
}

bool is_beside(Kind kind) {
    return kind == Kind::case_state || kind == Kind::booking_state;
}

Pseudonym Pseudonym::random(char letter) {
    assert(letter == 'p' || letter == 'a' || letter == 'm');
    return Pseudonym{std::string{letter} + "_" + random_digits<26>(7U)};
}

std::optional<Pseudonym> Pseudonym::parse(std::string_view text, char letter) {
    if (!is_pseudonym(text, letter)) return std::nullopt;
    return Pseudonym{std::string{text}};
}

std::string random_site() {
    return "s_" + random_digits<10>(31U);
}

std::optional<TimeBucket> TimeBucket::year(int year) {
    if (year < 2000 || year > 2099) return std::nullopt;
    TimeBucket bucket;
    bucket.year_ = year;
    return bucket;
}

std::optional<TimeBucket> TimeBucket::parse(std::string_view text) {
    if (const auto bucket = value_of<Bucket>(text)) return TimeBucket{*bucket};
    if (text.size() != 5 || !text.starts_with("y20") || !only(text.substr(3), "", false, false, true))
        return std::nullopt;
    return year(2000 + (text[3] - '0') * 10 + (text[4] - '0'));
}

std::string TimeBucket::text() const {
    return is_year() ? "y" + std::to_string(year_) : name(bucket_);
}

std::optional<Word> Word::parse(std::string_view text) {
    const auto found = std::ranges::find(vocabulary, text);
    if (found == vocabulary.end()) return std::nullopt;
    return Word{static_cast<std::uint8_t>(found - vocabulary.begin())};
}

const char* Word::text() const {
    return vocabulary[index_];
}

} // namespace clinic::envelope
