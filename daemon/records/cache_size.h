// How much memory SQLite may keep pages in: a page at hand is neither read nor opened.
//   Units:   KiB.
//   Threads: any.
#pragma once

#include <cstdint>
#include <filesystem>

namespace clinic::records {

struct CacheSize {
    int writer_kib, readers_kib; // the readers' is shared out among them
};

// A sixteenth of the memory, from 16 MiB to 256 MiB, half of it the writer's: its indexes grow with the clinic.
CacheSize cache_for(std::int64_t memory_kib);

// The machine's memory, or the unit's bound where that is less (cgroup v2, memory.max of our own group).
std::int64_t memory_kib_here(const std::filesystem::path& groups = "/proc/self/cgroup",
                             const std::filesystem::path& folder = "/sys/fs/cgroup");

} // namespace clinic::records
