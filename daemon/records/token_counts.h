// How many rows of the store have a keyed token. 12 bytes a place, at most three of four taken: a million patients are
// millions of tokens.
//   Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace clinic::records {

class TokenCounts {
public:
    // A count may be below zero for a while: a row that goes can be told of before it is read.
    void add(std::uint64_t token, std::int32_t by) {
        if ((used_ + 1) * 4 > tokens_.size() * 3) make_room();
        const std::size_t at = place_of(token);
        if (tokens_[at] == 0) {
            tokens_[at] = own(token);
            ++used_;
        }
        if (counts_[at] > 0) --present_;
        counts_[at] += by;
        if (counts_[at] > 0) ++present_;
    }

    bool contains(std::uint64_t token) const { return !tokens_.empty() && counts_[place_of(token)] > 0; }
    std::size_t size() const { return present_; } // different tokens

private:
    static constexpr std::size_t places_min = 64; // a power of two, as it stays

    // Zero marks a free place.
    static std::uint64_t own(std::uint64_t token) { return token == 0 ? 1 : token; }

    // Where it stands, or would: a token is a keyed hash already.
    std::size_t place_of(std::uint64_t token) const {
        const std::size_t mask = tokens_.size() - 1;
        std::size_t at = own(token) & mask;
        while (tokens_[at] != 0 && tokens_[at] != own(token)) at = (at + 1) & mask;
        return at;
    }

    // Without those that count nothing.
    void make_room() {
        std::size_t kept = 0;
        for (const std::int32_t count : counts_) kept += count != 0 ? 1 : 0;
        std::size_t places = places_min;
        while (places < kept * 2) places *= 2;
        std::vector<std::uint64_t> tokens(places);
        std::vector<std::int32_t> counts(places);
        tokens.swap(tokens_);
        counts.swap(counts_);
        used_ = kept;
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            if (counts[i] == 0) continue;
            const std::size_t at = place_of(tokens[i]);
            tokens_[at] = tokens[i];
            counts_[at] = counts[i];
        }
    }

    std::vector<std::uint64_t> tokens_;
    std::vector<std::int32_t> counts_;
    std::size_t used_ = 0; // places with a token, those that count nothing too
    std::size_t present_ = 0;
};

} // namespace clinic::records
