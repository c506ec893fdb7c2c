#include "daemon/reason.h"

#include <algorithm>

#include "daemon/asked.h"
#include "daemon/intake/text_encoding.h"

namespace clinic::daemon {
namespace {

constexpr std::size_t reason_bytes_min = 4, reason_bytes_max = 200;

} // namespace

Result<std::string> reason(const nlohmann::json& args) {
    std::string text = word(args, "reason");
    const bool odd = std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (text.size() < reason_bytes_min || text.size() > reason_bytes_max || odd || !intake::is_utf8(text))
        return Error{Errc::refused, "this needs a reason", "add --reason TEXT, 4 to 200 characters"};
    return text;
}

} // namespace clinic::daemon
