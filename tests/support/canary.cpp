#include "tests/support/canary.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::support {
namespace {

constexpr std::size_t unpacked_bytes_max = 64U << 20;
constexpr int depth_max = 3;
constexpr std::size_t number_digits_min = 8;
constexpr std::size_t wrapped_line_min = 60, beside_a_break = 160;
constexpr std::size_t gzip_part_bytes = 1U << 16;
constexpr std::string_view gzip_magic{"\x1f\x8b\x08", 3};
constexpr std::uint64_t multiplier = 0x9E37'79B9'7F4A'7C15;

constexpr std::array<unsigned char, 256> folds = [] {
    std::array<unsigned char, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i)
        table[i] = static_cast<unsigned char>(i >= 'A' && i <= 'Z' ? i + ('a' - 'A') : i);
    return table;
}();

std::string folded(std::string_view text) {
    std::string out{text};
    for (char& c : out) c = static_cast<char>(folds[static_cast<unsigned char>(c)]);
    return out;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_number(std::string_view canary) {
    return std::all_of(canary.begin(), canary.end(), is_digit);
}

// Whether a whole run of digits is a clock's reading of these days, in milli-, micro- or nanoseconds. A canary's nine
// digits are in one of them by chance now and then; a leaked number has no such length with such a beginning.
bool tells_the_time(std::string_view run) {
    constexpr std::time_t days = 2 * 86'400;
    if (run.size() != 13 && run.size() != 16 && run.size() != 19) return false;
    std::time_t seconds = 0;
    std::from_chars(run.data(), run.data() + 10, seconds);
    return std::abs(seconds - std::time(nullptr)) < days;
}

// Whether digits stand within a digest in hexadecimal, as the audit chain and the ledger have in each line: eight of
// them are a date of birth by chance in one of some hundred exports. A leaked number has no such surroundings: 32 signs
// and more, letters among them, and none but those of a digest.
bool is_of_a_digest(std::string_view bytes, std::size_t from, std::size_t to) {
    constexpr std::size_t digest_signs_min = 32;
    const auto is_sign = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
    const std::size_t first = from - std::min(from, digest_signs_min),
                      end = std::min(bytes.size(), to + digest_signs_min);
    while (from > first && is_sign(bytes[from - 1])) --from;
    while (to < end && is_sign(bytes[to])) ++to;
    const auto run = bytes.substr(from, to - from);
    return run.size() >= digest_signs_min && !is_number(run);
}

std::string_view run_of_digits(std::string_view bytes, std::size_t from, std::size_t to) {
    while (from > 0 && is_digit(bytes[from - 1])) --from;
    while (to < bytes.size() && is_digit(bytes[to])) ++to;
    return bytes.substr(from, to - from);
}

// A little-endian load of the window: fewer bytes than a word are masked off.
std::uint64_t window_of(const unsigned char* bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, 6);
    return value;
}

std::uint64_t slot_of(std::uint64_t value, std::size_t bits) {
    return value * multiplier >> (64 - bits);
}

// What is packed, as far as it is whole and within the bound. `read` gives the bytes from there, a part at
// a time, and none at the end.
std::string unpacked(const std::function<std::string_view()>& read) {
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 32) != Z_OK) return {};
    std::string out(1U << 16, '\0');
    std::size_t made = 0;
    for (int code = Z_OK; code == Z_OK && made < unpacked_bytes_max;) {
        if (stream.avail_in == 0) {
            const auto part = read();
            if (part.empty()) break;
            stream.next_in = const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(part.data()));
            stream.avail_in = static_cast<unsigned>(part.size());
        }
        if (made == out.size()) out.resize(out.size() * 2);
        stream.next_out = reinterpret_cast<unsigned char*>(out.data() + made);
        stream.avail_out = static_cast<unsigned>(out.size() - made);
        code = inflate(&stream, Z_SYNC_FLUSH);
        made = out.size() - stream.avail_out;
    }
    inflateEnd(&stream);
    out.resize(made);
    return out;
}

} // namespace

Search::Search(const std::vector<std::string>& canaries) : filter_((std::size_t{1} << filter_bits) / 64) {
    for (const auto& canary : canaries) {
        for (const auto& form : forms(canary)) patterns_.push_back({folded(form.bytes), canary, form.name});
        if (is_number(canary)) numbers_.push_back(canary);
    }
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
        const auto& bytes = patterns_[i].bytes;
        const auto value = window_of(reinterpret_cast<const unsigned char*>(bytes.data()));
        const auto slot = slot_of(value, filter_bits);
        filter_[slot / 64] |= std::uint64_t{1} << slot % 64;
        by_window_.emplace(value, i);
        longest_ = std::max(longest_, bytes.size());
    }
}

void Search::scan(std::string_view bytes, std::vector<Hit>& hits) const {
    if (bytes.size() < window) return;
    const std::string low = folded(bytes);
    const auto* from = reinterpret_cast<const unsigned char*>(low.data());
    for (std::size_t at = 0; at + window <= low.size(); ++at) {
        const auto value = window_of(from + at);
        const auto slot = slot_of(value, filter_bits);
        if ((filter_[slot / 64] >> slot % 64 & 1U) == 0) continue;
        const auto [first, last] = by_window_.equal_range(value);
        for (auto one = first; one != last && hits.size() < hits_max; ++one) {
            const auto& pattern = patterns_[one->second];
            if (low.compare(at, pattern.bytes.size(), pattern.bytes) == 0 &&
                !(is_number(pattern.bytes) && (tells_the_time(run_of_digits(low, at, at + pattern.bytes.size())) ||
                                               is_of_a_digest(low, at, at + pattern.bytes.size()))))
                hits.push_back({pattern.canary, pattern.form, at});
        }
    }
}

// Digits with up to three other signs between them, as people write numbers.
void Search::scan_digits(std::string_view bytes, std::vector<Hit>& hits) const {
    constexpr std::size_t gap_max = 3;
    if (numbers_.empty()) return;
    std::string digits;
    std::size_t gap = 0;
    const auto look = [&](std::size_t at) {
        if (digits.size() < number_digits_min) return digits.clear();
        for (const auto& number : numbers_)
            if (hits.size() < hits_max && digits.find(number) != std::string::npos)
                hits.push_back({number, "digits regrouped", at});
        digits.clear();
    };
    for (std::size_t at = 0; at < bytes.size(); ++at) {
        const char c = bytes[at];
        if (is_digit(c)) {
            const auto run = run_of_digits(bytes, at, at + 1);
            const bool says_nothing = tells_the_time(run) || is_of_a_digest(bytes, at, at + 1);
            at += run.size() - 1;
            if (says_nothing)
                look(at);
            else
                digits += run;
            gap = 0;
        } else if (!digits.empty() && (++gap > gap_max || std::isalpha(static_cast<unsigned char>(c)) != 0)) {
            look(at);
        }
    }
    look(bytes.size());
}

// Encoders of mail and of certificates break lines: base64 after 64 or 76 signs, quoted-printable behind a "=". What is
// on both sides of such a break is looked at without it.
void Search::scan_breaks(std::string_view bytes, std::vector<Hit>& hits) const {
    const auto is_sign = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '/' || c == '-' || c == '_';
    };
    for (std::size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
        auto before = bytes.substr(0, at);
        if (before.ends_with('\r')) before.remove_suffix(1);
        const bool is_soft = before.ends_with('=');
        if (is_soft) before.remove_suffix(1);
        before = before.substr(before.size() - std::min(before.size(), beside_a_break));
        if (!is_soft &&
            (before.size() < wrapped_line_min || !std::all_of(before.end() - wrapped_line_min, before.end(), is_sign)))
            continue;
        std::vector<Hit> here;
        scan(std::string{before} + std::string{bytes.substr(at + 1, beside_a_break)}, here);
        for (auto& hit : here)
            if (hits.size() < hits_max) hits.push_back({std::move(hit.canary), hit.form + ", line broken", at});
    }
}

// `more` gives what follows `bytes` where they are a part of something.
void Search::unpack(std::string_view bytes, std::size_t from, const More& more, std::vector<Hit>& hits,
                    int depth) const {
    for (std::size_t at = bytes.find(gzip_magic, from); at != std::string_view::npos;
         at = bytes.find(gzip_magic, at + 1)) {
        std::size_t next = at;
        std::string part;
        const auto text = unpacked([&]() -> std::string_view {
            if (next < bytes.size()) {
                const auto rest = bytes.substr(next, gzip_part_bytes);
                next += rest.size();
                return rest;
            }
            part = more ? more(next - bytes.size(), gzip_part_bytes) : std::string{};
            next += part.size();
            return part;
        });
        whole(text, 0, {}, hits, depth + 1);
    }
}

void Search::whole(std::string_view bytes, std::size_t gzip_from, const More& more, std::vector<Hit>& hits,
                   int depth) const {
    scan(bytes, hits);
    scan_digits(bytes, hits);
    scan_breaks(bytes, hits);
    if (depth < depth_max) unpack(bytes, gzip_from, more, hits, depth);
}

std::vector<Hit> Search::in(std::string_view bytes) const {
    std::vector<Hit> hits;
    whole(bytes, 0, {}, hits, 0);
    return hits;
}

std::vector<Hit> Search::in_file(const std::filesystem::path& path, std::size_t part_bytes) const {
    const base::UniqueFd file{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    return file ? in_file(file.get(), part_bytes) : std::vector<Hit>{};
}

std::vector<Hit> Search::in_file(int file, std::size_t part_bytes) const {
    std::vector<Hit> hits;
    std::string part;
    std::uint64_t before = 0;
    const std::size_t overlap = longest_ + beside_a_break;
    for (;;) {
        const std::size_t kept = std::min(part.size(), overlap);
        part.erase(0, part.size() - kept);
        part.resize(kept + part_bytes);
        const ssize_t got = pread(file, part.data() + kept, part_bytes, static_cast<off_t>(before));
        if (got <= 0) return hits;
        part.resize(kept + static_cast<std::size_t>(got));
        const std::uint64_t end = before + static_cast<std::uint64_t>(got);
        const More more = [&](std::size_t at, std::size_t bytes) {
            std::string next(bytes, '\0');
            const ssize_t more_got = pread(file, next.data(), bytes, static_cast<off_t>(end + at));
            next.resize(more_got > 0 ? static_cast<std::size_t>(more_got) : 0);
            return next;
        };
        std::vector<Hit> here;
        // A magic in the overlap was followed from the part before, but for one that the parts had between them.
        whole(part, kept - std::min(kept, gzip_magic.size() - 1), more, here, 0);
        for (auto& hit : here) {
            hit.at += before - kept;
            if (hits.size() < hits_max) hits.push_back(std::move(hit));
        }
        before = end;
    }
}

} // namespace clinic::support
