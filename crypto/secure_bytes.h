// Key material: guarded, locked out of swap and dumps, wiped on release (sodium_malloc).
//   Bounds:  a few wiped pieces of a key's size are kept for the next key: getting and giving back guarded memory is
//   six calls of the kernel and a TLB flush on every processor, and a message needs dozens of keys.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace clinic::crypto {

// Move-only. An empty one has no memory.
class SecureBytes {
public:
    SecureBytes() = default;
    static SecureBytes zeroed(std::size_t bytes);
    static SecureBytes random(std::size_t bytes);
    static SecureBytes copy_of(std::span<const std::byte> bytes);

    std::size_t size() const { return size_; }
    std::span<const std::byte> bytes() const { return {memory_.get(), size_}; }
    std::span<std::byte> bytes() { return {memory_.get(), size_}; }
    bool same_as(std::span<const std::byte> other) const; // constant time

private:
    struct Free {
        Free() noexcept : bytes{0} {}
        explicit Free(std::size_t size) noexcept : bytes{size} {}
        std::size_t bytes;
        void operator()(std::byte* memory) const noexcept;
    };
    std::unique_ptr<std::byte[], Free> memory_;
    std::size_t size_ = 0;
};

// sodium_init, once; before any other call here. False: the library cannot start.
bool start();

} // namespace clinic::crypto
