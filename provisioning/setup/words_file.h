// The file that the recovery words are written to. Words that lie there may be the only ones of another clinic, and
// are never written over.
//   Threads: any.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace clinic::setup {

// Noted: the mark of the words that this setup made last, by which it knows its own file after a cut.
inline constexpr const char* words_mark = "words_mark";

// BLAKE2b of 256 bits, in hexadecimal: from it nobody comes to the words, which are as many bits by chance.
std::string mark_of(std::span<const std::byte> words);

// What is wrong with writing there; empty: nothing. `mark`: of the words that may be written over; empty: none may.
std::string wrong_with_words_file(const std::filesystem::path& file, const std::string& mark);

} // namespace clinic::setup
