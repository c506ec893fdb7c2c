#include "crypto/base/json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

namespace clinic::base {
namespace {

using nlohmann::json;

// nlohmann keeps the last of two equal keys and has no depth bound: both are refused here.
class StrictReader {
public:
    explicit StrictReader(int depth_max) : depth_max_{depth_max} {}

    bool operator()(int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
            if (depth >= depth_max_) too_deep_ = true;
            if (event == json::parse_event_t::object_start) keys_.emplace_back();
        }
        if (event == json::parse_event_t::object_end && !keys_.empty()) keys_.pop_back();
        if (event == json::parse_event_t::key && !keys_.empty() &&
            !keys_.back().insert(parsed.get_ref<const std::string&>()).second)
            twice_ = true;
        return !too_deep_;
    }
    bool too_deep() const { return too_deep_; }
    bool twice() const { return twice_; }

private:
    int depth_max_;
    std::vector<std::unordered_set<std::string>> keys_;
    bool too_deep_ = false;
    bool twice_ = false;
};

// The parser recurses into nothing, but it does go on past a refused part: look first.
bool deeper_than(std::string_view text, int depth_max) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > depth_max) return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

} // namespace

Result<json> parse_json(std::string_view text, std::size_t bytes_max, int depth_max) {
    if (text.size() > bytes_max) return Error{Errc::full, "the JSON text is longer than its bound"};
    if (deeper_than(text, depth_max)) return Error{Errc::full, "the JSON text is nested too deeply"};
    StrictReader reader{depth_max};
    json value = json::parse(
        text, [&](int depth, json::parse_event_t event, json& parsed) { return reader(depth, event, parsed); }, false);
    if (reader.too_deep()) return Error{Errc::full, "the JSON text is nested too deeply"};
    if (value.is_discarded()) return Error{Errc::malformed, "the text is not JSON"};
    if (reader.twice()) return Error{Errc::malformed, "the JSON text has the same key twice in one object"};
    return value;
}

std::string dump_json(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace clinic::base
