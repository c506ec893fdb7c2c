// One closed object of a configuration file: an unknown key is an error, and the first broken rule stands.
//   Errors:  refused, with the rule that was broken; never with the value.
//   Threads: one.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::base {

inline constexpr std::size_t setting_bytes_max = 512;

class Section {
public:
    // `object` outlives it. `remedy`: the page that says what may stand there.
    Section(const nlohmann::json& object, std::initializer_list<std::string_view> keys, Literal remedy);

    std::string text(const char* key, bool needed); // at most `setting_bytes_max`; empty where it is not there
    std::int64_t number(const char* key, std::int64_t otherwise, std::int64_t least, std::int64_t most);
    bool flag(const char* key, bool otherwise);
    // A list of different texts of one form; none where the key is absent.
    std::vector<std::string> texts(const char* key, std::size_t texts_max, bool (*well_formed)(std::string_view));
    const nlohmann::json* section(const char* key) const { return find(key); } // null where it is not there
    void require(bool holds, Literal rule) {
        if (!holds) fail(rule);
    }
    Result<void> outcome() const { return outcome_; }

private:
    const nlohmann::json* find(const char* key) const;
    void fail(Literal rule);

    const nlohmann::json& object_;
    Literal remedy_;
    Result<void> outcome_;
};

} // namespace clinic::base
