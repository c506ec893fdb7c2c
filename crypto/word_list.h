// The 2,048 English words of BIP-39, as they are: recovery keys are written in them.
//   Source:  bitcoin/bips, bip-0039/english.txt, as in Debian's python3-mnemonic 0.19-2 (MIT); a list of words, whose
//            SHA-256 with a line end after each is 2f5eed53…dbda. Its words differ in their first four letters.
//   Threads: constants.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace clinic::crypto {

inline constexpr std::size_t word_list_size = 2'048;
inline constexpr std::size_t word_letters_max = 8;
inline constexpr std::size_t prefix_letters_min = 4; // so many tell a word from every other

std::string_view listed_word(std::size_t index); // below word_list_size

// Of a word in lower case, whole or from its first four letters on.
std::optional<std::size_t> index_of_word(std::string_view typed);

} // namespace clinic::crypto
