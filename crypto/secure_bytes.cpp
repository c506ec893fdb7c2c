#include "crypto/secure_bytes.h"

#include <sodium.h>

#include <algorithm>
#include <new>

namespace clinic::crypto {

bool start() {
    static const bool started = sodium_init() >= 0;
    return started;
}

void SecureBytes::Free::operator()(std::byte* memory) const noexcept {
    sodium_free(memory);
}

SecureBytes SecureBytes::zeroed(std::size_t bytes) {
    SecureBytes made;
    if (bytes == 0) return made;
    if (!start()) throw std::bad_alloc{};
    made.memory_.reset(static_cast<std::byte*>(sodium_malloc(bytes)));
    if (!made.memory_) throw std::bad_alloc{};
    made.size_ = bytes;
    std::ranges::fill(made.bytes(), std::byte{0}); // sodium_malloc fills with a pattern of its own
    return made;
}

SecureBytes SecureBytes::random(std::size_t bytes) {
    SecureBytes made = zeroed(bytes);
    randombytes_buf(made.memory_.get(), bytes);
    return made;
}

SecureBytes SecureBytes::copy_of(std::span<const std::byte> bytes) {
    SecureBytes made = zeroed(bytes.size());
    std::ranges::copy(bytes, made.memory_.get());
    return made;
}

bool SecureBytes::same_as(std::span<const std::byte> other) const {
    return size_ == other.size() && (size_ == 0 || sodium_memcmp(memory_.get(), other.data(), size_) == 0);
}

} // namespace clinic::crypto
