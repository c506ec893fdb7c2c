#include "daemon/observer/notice.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/web/web.h"

namespace clinic::observer {
namespace {

using https::Answer;

constexpr int unavailable = 503;
constexpr std::string_view help_folder = "/help/";

std::optional<Answer> unchanged(std::string_view path) {
    if (const auto asset = web::asset(path)) return Answer{200, std::string{asset->type}, std::string{asset->body}};
    if (!path.starts_with(help_folder)) return std::nullopt;
    auto help = web::help_page(path.substr(help_folder.size()));
    return help ? std::optional{Answer{200, https::html_type, std::move(*help)}} : std::nullopt;
}

Answer for_programs(std::string_view path, Trouble trouble) {
    const nlohmann::json health = {{"alive", false}, {"ready", false}, {"mode", "down"}, {"cause", name(trouble)}};
    const nlohmann::json other = {{"error", "not_running"}, {"message", web::down_message()}, {"cause", name(trouble)}};
    return {unavailable, https::json_type, base::dump_json(path == "/api/health" ? health : other)};
}

} // namespace

std::optional<Answer> Notice::document(std::string_view path) {
    if (auto answer = unchanged(path)) return answer;
    const auto trouble = look_().trouble;
    if (https::form_of(path) == https::Form::json) return for_programs(path, trouble);
    return Answer{unavailable, https::html_type, web::down_page(name(trouble))};
}

bool Notice::has(std::string_view) const {
    return true;
}

https::Stream* Notice::stream(std::string_view) {
    return nullptr;
}

} // namespace clinic::observer
