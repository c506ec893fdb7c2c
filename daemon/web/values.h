// What the page's templates ask of a status, by directives such as "n:egress.crm.pending". page/say.ts is the twin.
//   Threads: values; any.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace clinic::web {

std::string escaped(std::string_view text); // for HTML text and attributes

bool is_mark(std::string_view kind); // a directive that is an element's state
std::string mark(const nlohmann::json& status, std::string_view kind, std::string_view path);
// Text, not escaped.
std::string show(const nlohmann::json& status, std::string_view kind, std::string_view argument);
// The exact time behind a relative one, for a title; empty where there is none.
std::string exact_time(const nlohmann::json& status, std::string_view kind, std::string_view argument);

} // namespace clinic::web
