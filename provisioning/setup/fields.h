// Reads one object of a file that a person wrote, strictly: what is not asked for is unknown, what is asked for and not
// there is missing; every fault is named with its path ("ghl.fields.pid") and all of them at once.
//   Bounds:  a text has 1 to text_bytes_max bytes, and no control character.
//   Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace clinic::setup {

inline constexpr std::size_t text_bytes_max = 256;

using Faults = std::vector<std::string>; // "basis.expires is missing"

class Fields {
public:
    Fields(const nlohmann::json& object, std::string path, Faults& faults);
    ~Fields(); // names what was not asked for
    Fields(const Fields&) = delete;
    Fields& operator=(const Fields&) = delete;

    bool has(const char* key) const;
    // A default where the field is missing or wrong, which has been noted.
    std::string text(const char* key);
    std::string text_or(const char* key, const char* otherwise);
    std::int64_t number(const char* key, std::int64_t least, std::int64_t most);
    std::int64_t number_or(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most);
    std::filesystem::path path(const char* key); // absolute
    // null, and nothing else, says that there is none.
    std::optional<std::filesystem::path> path_or_null(const char* key);
    const nlohmann::json& object(const char* key);
    const nlohmann::json* object_or_null(const char* key); // null pointer: it is null, or a fault
    const nlohmann::json& list(const char* key);

    void fault(const char* key, std::string_view what);
    std::string place(const char* key) const { return path_ + key; } // "ghl.base"

private:
    const nlohmann::json* take(const char* key, bool needed);

    const nlohmann::json& object_;
    const std::string path_;
    Faults& faults_;
    std::set<std::string> known_;
};

} // namespace clinic::setup
