#include "crypto/listener/head.h"

#include <Poco/Net/HTTPRequest.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace clinic::listener {
namespace {

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || marks.find(c) != std::string_view::npos;
    });
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; });
}

bool is_well_formed(const Head& head) {
    if (head.version != "HTTP/1.1" && head.version != "HTTP/1.0") return false;
    if (!is_token(head.method) || head.fields.size() > fields_max) return false;
    if (head.target.empty() || head.target.front() != '/' || head.target.size() > target_bytes_max) return false;
    if (has_control(head.target) || head.target.find('\t') != std::string::npos) return false;
    return std::all_of(head.fields.begin(), head.fields.end(),
                       [](const auto& field) { return is_token(field.first) && !has_control(field.second); });
}

// The one well-formed length, 0 when there is none; nullopt: more than one, or no plain number.
std::optional<std::size_t> length_of(const Head& head) {
    const auto lengths = values(head, "Content-Length");
    if (lengths.empty()) return 0;
    const std::string_view text = lengths.front();
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    const bool digits = !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0;
    if (lengths.size() > 1 || !digits || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return bytes;
}

} // namespace

Head head_of(const Poco::Net::HTTPRequest& request) {
    Head head{request.getMethod(), request.getURI(), request.getVersion(), {}};
    for (const auto& [name, value] : request) head.fields.emplace_back(name, value);
    return head;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char left, char right) {
        return std::tolower(static_cast<unsigned char>(left)) == std::tolower(static_cast<unsigned char>(right));
    });
}

std::vector<std::string_view> values(const Head& head, std::string_view name) {
    std::vector<std::string_view> found;
    for (const auto& [field, value] : head.fields)
        if (same_word(field, name)) found.emplace_back(value);
    return found;
}

std::optional<std::size_t> body_bytes(const Head& head) {
    if (!is_well_formed(head) || !values(head, "Transfer-Encoding").empty()) return std::nullopt;
    const auto hosts = values(head, "Host");
    if (hosts.size() != 1 || hosts.front().empty()) return std::nullopt;
    return length_of(head);
}

} // namespace clinic::listener
