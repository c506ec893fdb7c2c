// Room on the records' disk that is held for the day when there is none: given back then, so that the box can still
// write its own bookkeeping, and taken again when there is room for both.
//   Units:   bytes. Bounds: `reserve_bytes`; it is taken only where `room_bytes_min` stays free beside it.
//   Errors:  none: a disk too small for it does without.
//   Threads: one; `held` any.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>

namespace clinic::records {

inline constexpr std::uint64_t reserve_bytes = 4 * 1'048'576;
inline constexpr std::uint64_t room_bytes_min =
    4 * 1'048'576; // a disk was full until so much is free: no coming and going

class Reserve {
public:
    explicit Reserve(std::filesystem::path folder) : folder_{std::move(folder)}, file_{folder_ / "reserve"} {}

    void take();      // if there is room for it
    void give_back(); // at once; nothing when it is not there
    // Is there room to work in, and the reserve in its place? Takes it again where there is.
    bool recovered();
    std::int64_t held() const { return held_; } // bytes

private:
    std::uint64_t room() const;

    const std::filesystem::path folder_, file_;
    std::atomic<std::int64_t> held_{0};
};

} // namespace clinic::records
