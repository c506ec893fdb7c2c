#include "crypto/base/json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

namespace clinic::base {
namespace {

using nlohmann::json;

// nlohmann keeps the last of two equal keys and has no depth bound: both are refused here, before a value is made. A
// callback of its parser would do as well, but goes through all that a list holds at the end of each object in it.
class StrictReader : public nlohmann::json_sax<json> {
public:
    explicit StrictReader(int depth_max) : depth_max_{depth_max} {}
    bool too_deep() const { return too_deep_; }
    bool twice() const { return twice_; }

    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_array(std::size_t) override { return deeper(); }
    bool end_array() override { return shallower(); }
    bool start_object(std::size_t) override {
        keys_.emplace_back();
        return deeper();
    }
    bool end_object() override {
        keys_.pop_back();
        return shallower();
    }
    bool key(string_t& name) override {
        twice_ = !keys_.back().insert(std::move(name)).second;
        return !twice_;
    }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

private:
    bool deeper() {
        too_deep_ = ++depth_ > depth_max_;
        return !too_deep_;
    }
    bool shallower() {
        --depth_;
        return true;
    }

    const int depth_max_;
    int depth_ = 0;
    std::vector<std::unordered_set<std::string>> keys_; // of each object that is open
    bool too_deep_ = false, twice_ = false;
};

} // namespace

Result<json> parse_json(std::string_view text, std::size_t bytes_max, int depth_max) {
    if (text.size() > bytes_max) return Error{Errc::full, "the JSON text is longer than its bound"};
    StrictReader reader{depth_max};
    const bool right = json::sax_parse(text, &reader);
    if (reader.too_deep()) return Error{Errc::full, "the JSON text is nested too deeply"};
    if (reader.twice()) return Error{Errc::malformed, "the JSON text has the same key twice in one object"};
    if (!right) return Error{Errc::malformed, "the text is not JSON"};
    return json::parse(text);
}

std::string dump_json(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace clinic::base
