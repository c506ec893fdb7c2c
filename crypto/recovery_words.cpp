#include "crypto/recovery_words.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <string_view>

#include "crypto/octets.h"
#include "crypto/word_list.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t word_bits = 11;
static_assert(std::size_t{1} << word_bits == word_list_size);
static_assert(recovery_words * word_bits == recovery_secret_bytes * 8 + 8);

std::byte checksum(std::span<const std::byte> secret) {
    SecureBytes sum = SecureBytes::zeroed(crypto_hash_sha256_BYTES);
    crypto_hash_sha256(octets(sum.bytes()), octets(secret), secret.size());
    return sum.bytes().front();
}

bool bit_at(std::span<const std::byte> bytes, std::size_t bit) {
    return (bytes[bit / 8] >> (7 - bit % 8) & std::byte{1}) != std::byte{0};
}

std::size_t index_at(std::span<const std::byte> bytes, std::size_t word) {
    std::size_t index = 0;
    for (std::size_t i = 0; i < word_bits; ++i) index = index << 1 | (bit_at(bytes, word * word_bits + i) ? 1 : 0);
    return index;
}

void put_index(std::span<std::byte> bytes, std::size_t word, std::size_t index) {
    for (std::size_t i = 0; i < word_bits; ++i) {
        const std::size_t bit = word * word_bits + i;
        if ((index >> (word_bits - 1 - i) & 1) != 0) bytes[bit / 8] |= std::byte{0x80} >> bit % 8;
    }
}

// Letters in lower case, and a space for every other of ASCII. What is beyond ASCII is in no word of the list.
void tidy(std::span<std::byte> text) {
    for (std::byte& one : text) {
        const auto letter = std::to_integer<unsigned char>(one);
        if (letter >= 'A' && letter <= 'Z')
            one = static_cast<std::byte>(letter - 'A' + 'a');
        else if (letter < 0x80 && (letter < 'a' || letter > 'z'))
            one = std::byte{' '};
    }
}

Error wrong_count(std::size_t words) {
    constexpr Literal remedy = "type all 24 from the paper, in their order";
    const Place at{.field = static_cast<int>(std::min(words, recovery_words + 1))};
    if (words < recovery_words) return Error{Errc::malformed, "these are fewer than 24 words", remedy, at};
    return Error{Errc::malformed, "these are more than 24 words", remedy, at};
}

} // namespace

SecureBytes words_of(const SecureBytes& secret) {
    assert(secret.size() >= 16 && secret.size() <= recovery_secret_bytes && secret.size() % 4 == 0);
    SecureBytes bits = SecureBytes::zeroed(secret.size() + 1);
    std::ranges::copy(secret.bytes(), bits.bytes().begin());
    bits.bytes().back() = checksum(secret.bytes()); // of which a shorter secret uses the first bits
    const std::size_t words = (secret.size() * 8 + secret.size() / 4) / word_bits;

    SecureBytes text = SecureBytes::zeroed(words * (word_letters_max + 1));
    std::size_t size = 0;
    for (std::size_t i = 0; i < words; ++i) {
        if (i > 0) text.bytes()[size++] = std::byte{' '};
        for (const char letter : listed_word(index_at(bits.bytes(), i)))
            text.bytes()[size++] = static_cast<std::byte>(letter);
    }
    return SecureBytes::copy_of(text.bytes().first(size));
}

Result<SecureBytes> secret_of(const SecureBytes& typed) {
    if (typed.size() > typed_bytes_max) return wrong_count(recovery_words + 1);
    SecureBytes text = SecureBytes::copy_of(typed.bytes());
    tidy(text.bytes());
    const std::string_view all{reinterpret_cast<const char*>(text.bytes().data()), text.size()};
    SecureBytes bits = SecureBytes::zeroed(recovery_secret_bytes + 1);
    std::size_t words = 0;
    for (std::size_t from = 0; (from = all.find_first_not_of(' ', from)) < all.size();) {
        const std::size_t end = std::min(all.find(' ', from), all.size());
        if (words == recovery_words) return wrong_count(recovery_words + 1);
        const auto index = index_of_word(all.substr(from, end - from));
        if (!index)
            return Error{Errc::malformed,
                         "a word is none of the list",
                         "look at that word on the paper again; its first four letters are enough",
                         {.field = static_cast<int>(words + 1)}};
        put_index(bits.bytes(), words++, *index);
        from = end;
    }
    if (words != recovery_words) return wrong_count(words);
    SecureBytes secret = SecureBytes::copy_of(bits.bytes().first(recovery_secret_bytes));
    if (checksum(secret.bytes()) != bits.bytes().back())
        return Error{Errc::malformed,
                     "these 24 words do not belong together: one of them is another, or two changed places",
                     "compare each with the paper, and their order"};
    return secret;
}

} // namespace clinic::crypto
