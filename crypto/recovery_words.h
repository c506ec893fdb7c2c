// A recovery key as words: 256 random bits and 8 of a checksum in 24 words, as BIP-39 encodes them.
//   Bounds:  a text of 4,096 bytes.
//   Errors:  malformed; `at.field` is the word's position, from 1, where it is about one.
//   Threads: any; stateless. Secrets stay in SecureBytes, but for what the processor holds in passing.
//   Format:  docs/store-format.md, "Key slots".
#pragma once

#include <cstddef>
#include <span>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

inline constexpr std::size_t recovery_words = 24;
inline constexpr std::size_t recovery_secret_bytes = 32;
inline constexpr std::size_t typed_bytes_max = 4'096;

// The words in lower case, one space between two. `secret` has 16 to 32 bytes, a multiple of four (BIP-39); ours, 32.
SecureBytes words_of(const SecureBytes& secret);

// What 24 typed words stand for. Upper or lower case, any spaces, numbers and marks between them, and of each word its
// first four letters at least.
Result<SecureBytes> secret_of(const SecureBytes& typed);

} // namespace clinic::crypto
