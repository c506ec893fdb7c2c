// Canaries: made-up words and numbers that stand for patient data, and the search for them in whatever came out of the
// box, in every form that a leak could have.
//   Forms: as it is and in other case; without its accents, with them as signs of their own, and in Latin-1; reversed;
//          percent, JSON, HTML and quoted-printable escapes; hexadecimal; base64 and base64url at three alignments,
//          lines broken or not; UTF-16; joined by zero-width signs; full-width; digits regrouped; and all of these
//          inside gzip.
//   Threads: a Search is const once made; any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace clinic::support {

struct Form {
    std::string name;
    std::string bytes;
};
// Words of at least 8 letters and digits, and numbers of at least 8 digits; shorter ones would be found by chance. A
// word is UTF-8; of its letters those of Latin-1 have an other case and an accent here, and no others.
std::vector<Form> forms(std::string_view canary);

struct Hit {
    std::string canary, form;
    std::uint64_t at; // in the searched bytes, or in what was packed in them
};

class Search {
public:
    explicit Search(const std::vector<std::string>& canaries);

    // Unpacks gzip where it meets it, up to 64 MiB of a stream and three deep. At most `hits_max` hits.
    std::vector<Hit> in(std::string_view bytes) const;
    // A file in parts that overlap; a gzip stream is followed through all of them. Links are not followed; empty when
    // it cannot be opened any more.
    std::vector<Hit> in_file(const std::filesystem::path& path, std::size_t part_bytes = 8U << 20) const;
    std::vector<Hit> in_file(int file, std::size_t part_bytes = 8U << 20) const; // from its first byte on

    static constexpr std::size_t hits_max = 20;

private:
    struct Pattern {
        std::string bytes; // folded
        std::string canary, form;
    };
    void scan(std::string_view bytes, std::vector<Hit>& hits) const;
    void scan_digits(std::string_view bytes, std::vector<Hit>& hits) const;
    void scan_breaks(std::string_view bytes, std::vector<Hit>& hits) const;
    // What follows the searched bytes, from an offset behind them on; empty at the end.
    using More = std::function<std::string(std::size_t at, std::size_t bytes)>;
    void unpack(std::string_view bytes, std::size_t from, const More& more, std::vector<Hit>& hits, int depth) const;
    void whole(std::string_view bytes, std::size_t gzip_from, const More& more, std::vector<Hit>& hits,
               int depth) const;

    static constexpr std::size_t window = 6; // the bytes that are hashed
    static constexpr std::size_t filter_bits = 20;
    std::vector<Pattern> patterns_;
    std::vector<std::uint64_t> filter_; // whether any pattern begins with such a hash
    std::unordered_multimap<std::uint64_t, std::size_t> by_window_;
    std::vector<std::string> numbers_;
    std::size_t longest_ = 0;
};

} // namespace clinic::support
