#include "crypto/secure_bytes.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <new>

namespace clinic::crypto {
namespace {

constexpr std::size_t kept_bytes = 32; // a key
constexpr std::size_t kept_max = 16;   // more than threads that hold keys in passing

// Wiped pieces of guarded memory that the next key gets. Never destroyed: keys may be given back by statics.
class Kept {
public:
    static Kept& all() {
        static Kept& kept = *new Kept;
        return kept;
    }
    std::byte* take() {
        const std::scoped_lock lock{mutex_};
        return count_ == 0 ? nullptr : pieces_[--count_];
    }
    bool keep(std::byte* memory) {
        const std::scoped_lock lock{mutex_};
        if (count_ == pieces_.size()) return false;
        pieces_[count_++] = memory;
        return true;
    }

private:
    std::mutex mutex_;
    std::array<std::byte*, kept_max> pieces_{};
    std::size_t count_ = 0;
};

} // namespace

bool start() {
    static const bool started = sodium_init() >= 0;
    return started;
}

void SecureBytes::Free::operator()(std::byte* memory) const noexcept {
    if (bytes == kept_bytes) {
        sodium_memzero(memory, bytes);
        if (Kept::all().keep(memory)) return;
    }
    sodium_free(memory);
}

SecureBytes SecureBytes::zeroed(std::size_t bytes) {
    SecureBytes made;
    if (bytes == 0) return made;
    if (!start()) throw std::bad_alloc{};
    std::byte* memory = bytes == kept_bytes ? Kept::all().take() : nullptr;
    if (memory == nullptr) memory = static_cast<std::byte*>(sodium_malloc(bytes));
    if (memory == nullptr) throw std::bad_alloc{};
    made.memory_ = {memory, Free{bytes}};
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
