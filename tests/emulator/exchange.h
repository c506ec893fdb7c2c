// One call and its answer, without the network.
//   Threads: values; any.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clinic::emulator {

using Json = nlohmann::json;

struct Request {
    std::string method;
    std::string target; // as received, with its query
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;

    std::string_view path() const;                        // `target` without its query
    std::string query(std::string_view name) const;       // decoded; empty when absent
    std::string_view header(std::string_view name) const; // case-insensitive; empty when absent
};

struct Answer {
    int status = 200;
    std::string body;
    std::string content_type = "application/json; charset=utf-8";
    std::vector<std::pair<std::string, std::string>> headers;
    bool withheld = false; // the effect happened; nothing is sent
    bool gzip = false;     // it is sent so; the record has it as it was before
    std::chrono::milliseconds delay{0};
};

// Of "name=value&…", decoded; empty when absent. As in a query, and in a form.
std::string form_field(std::string_view form, std::string_view name);
Answer json_answer(int status, const Json& body);
// {"statusCode","message","error","traceId"}, the way the live service refuses.
Answer refusal(int status, std::string_view message);
Answer unprocessable(const std::vector<std::string>& messages); // 422, `message` is an array

std::string random_id(std::size_t length = 20); // letters and digits
std::string lower(std::string_view text);       // ASCII

} // namespace clinic::emulator
