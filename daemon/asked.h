// What every command of clinicd does with a question's arguments and its answer.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "daemon/control/control_server.h"

namespace clinic::daemon {

// `exit` as in control::Answer.
inline control::Answer say(nlohmann::json data, int exit = 0) {
    return {.exit = exit, .data = std::make_shared<nlohmann::json>(std::move(data))};
}

// The argument of that name; empty, or `otherwise`, where there is none of its type.
inline std::string word(const nlohmann::json& args, const char* key) {
    const auto found = args.find(key);
    return found != args.end() && found->is_string() ? found->get<std::string>() : std::string{};
}
inline std::int64_t number(const nlohmann::json& args, const char* key, std::int64_t otherwise) {
    const auto found = args.find(key);
    return found != args.end() && found->is_number_integer() ? found->get<std::int64_t>() : otherwise;
}

} // namespace clinic::daemon
