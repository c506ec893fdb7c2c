// Closed JSON objects: read field by field until nothing is left over, written in one order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "sync/envelope/names.h"

namespace clinic::envelope {

// The largest integer every JSON reader keeps exactly.
inline constexpr std::int64_t integer_max = (std::int64_t{1} << 53) - 1;

// The digits of pseudonyms: no I, L, O, U.
inline constexpr std::string_view crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

using TextRule = bool (*)(std::string_view);

// The first rule that is broken stays; a broken read answers a default, and `done` says so.
class ObjectReader {
public:
    explicit ObjectReader(const nlohmann::json& object);

    bool has(const char* key) const;
    std::int64_t integer(const char* key, std::int64_t min, std::int64_t max);
    int small(const char* key, int min, int max) { return static_cast<int>(integer(key, min, max)); }
    bool boolean(const char* key);
    std::string text(const char* key, TextRule well_formed);
    template <class Enum>
    Enum choice(const char* key) {
        const std::optional<Enum> found = value_of<Enum>(raw_text(key));
        if (!found) refuse("a word is not in its list");
        return found.value_or(Enum{});
    }
    void exactly(const char* key, std::string_view value);
    void object(const char* key, const std::function<void(ObjectReader&)>& read);
    // Not longer than `items_max`; each item an object that is read to its end.
    void objects(const char* key, std::size_t items_max, const std::function<void(ObjectReader&)>& read);
    std::vector<std::string> texts(const char* key, std::size_t items_max);

    void refuse(Literal rule);
    void require(bool holds, Literal rule) {
        if (!holds) refuse(rule);
    }
    // Also refuses what was not asked for.
    Result<void> done();

private:
    const nlohmann::json* take(const char* key);
    std::string_view raw_text(const char* key);

    const nlohmann::json& object_;
    std::size_t taken_ = 0;
    std::optional<Error> broken_;
};

class ObjectWriter {
public:
    ObjectWriter& integer(const char* key, std::int64_t value);
    ObjectWriter& boolean(const char* key, bool value);
    ObjectWriter& text(const char* key, std::string_view value);
    ObjectWriter& written(const char* key, std::string_view value);
    ObjectWriter& list(const char* key, const std::vector<std::string>& written);
    std::string str() const { return text_ + "}"; }

private:
    ObjectWriter& key(const char* key);
    std::string text_ = "{";
};

// Escapes the quote, the backslash and control characters; the rest goes as it is.
std::string quoted(std::string_view text);

bool is_code(std::string_view text); // ^[a-z0-9_]{0,32}$
bool is_pseudonym(std::string_view text, char letter);
bool is_site(std::string_view text);
bool only(std::string_view text, std::string_view extra, bool upper, bool lower, bool digits);

} // namespace clinic::envelope
