#include "daemon/records/cache_size.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <sstream>
#include <string>

#include "crypto/base/files.h"

namespace clinic::records {
namespace {

constexpr std::int64_t mib = 1'024; // KiB
constexpr std::int64_t least_kib = 16 * mib, most_kib = 256 * mib;
constexpr std::size_t text_bytes_max = 4'096;

// "max" and what cannot be read: no bound.
std::int64_t bound_kib(const std::filesystem::path& file) {
    const auto text = base::read_text(file, text_bytes_max);
    std::int64_t bytes = 0;
    if (!text || std::from_chars(text->data(), text->data() + text->size(), bytes).ec != std::errc{})
        return std::numeric_limits<std::int64_t>::max();
    return bytes / 1'024;
}

// "0::/system.slice/clinicd.service" among the lines of older hierarchies.
std::string our_group(const std::filesystem::path& groups) {
    const auto text = base::read_text(groups, text_bytes_max);
    std::istringstream lines{text ? *text : ""};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("0::/")) return line.substr(4);
    return "";
}

} // namespace

CacheSize cache_for(std::int64_t memory_kib) {
    const auto half = static_cast<int>(std::clamp(memory_kib / 16, least_kib, most_kib) / 2);
    return {half, half};
}

std::int64_t memory_kib_here(const std::filesystem::path& groups, const std::filesystem::path& folder) {
    const std::int64_t physical = sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1'024);
    return std::min(physical, bound_kib(folder / our_group(groups) / "memory.max"));
}

} // namespace clinic::records
