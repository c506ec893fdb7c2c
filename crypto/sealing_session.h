// Who seals, and how often it has: the part of a nonce that must never come twice under one key.
//   Bounds:  a session ends after 2^32 counts; the next one has another random id.
//   Threads: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace clinic::crypto {

using SessionId = std::array<std::byte, 12>;

// Lives in memory that the kernel gives to a forked child as zeros (MADV_WIPEONFORK): a child that seals does so in a
// session of its own, and not with its parent's counts.
class SealingSession {
public:
    explicit SealingSession(std::uint64_t counts_max = std::uint64_t{1} << 32U);
    ~SealingSession();
    SealingSession(const SealingSession&) = delete;
    SealingSession& operator=(const SealingSession&) = delete;

    struct Nonce {
        SessionId session;
        std::uint64_t count; // from 1
    };
    Nonce next();

private:
    struct Held {
        bool drawn;
        SessionId id;
        std::uint64_t count;
    };
    const std::uint64_t counts_max_;
    Held* held_;
};

} // namespace clinic::crypto
