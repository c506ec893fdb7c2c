#include "daemon/https/gate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

namespace clinic::https {
namespace {

constexpr Refusal bad_request{400, "bad_request", "refused.request"};
constexpr Refusal wrong_method{405, "method_not_allowed", "refused.method"};
constexpr Refusal wrong_host{421, "wrong_host", "refused.host"};
constexpr Refusal wrong_origin{403, "wrong_origin", "refused.origin"};

constexpr std::string_view announced_name = "clinic-edge.local"; // every box's, by mDNS

bool same_word(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char left, char right) {
        return std::tolower(static_cast<unsigned char>(left)) == std::tolower(static_cast<unsigned char>(right));
    });
}

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || marks.find(c) != std::string_view::npos;
    });
}

bool has_control(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f; });
}

std::vector<std::string_view> values(const Head& head, std::string_view name) {
    std::vector<std::string_view> found;
    for (const auto& [field, value] : head.fields)
        if (same_word(field, name)) found.emplace_back(value);
    return found;
}

// The one well-formed length, 0 when there is none; nullopt: more than one, or no plain number.
std::optional<std::size_t> body_bytes(const Head& head) {
    const auto lengths = values(head, "Content-Length");
    if (lengths.empty()) return 0;
    const std::string_view text = lengths.front();
    std::size_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    const bool digits = !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0;
    if (lengths.size() > 1 || !digits || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return bytes;
}

bool is_numeric_address(const std::string& host) {
    unsigned char address[16];
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        return inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), address) == 1;
    return inet_pton(AF_INET, host.c_str(), address) == 1;
}

// A foreign name in Host is another site's page speaking through this browser (DNS rebinding).
bool is_ours(std::string_view authority, const std::vector<std::string>& names) {
    const auto colon = authority.rfind(':');
    const bool has_port = colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
    const std::string_view port = has_port ? authority.substr(colon + 1) : std::string_view{};
    if (port.size() > 5 || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return false;
    const std::string host{has_port ? authority.substr(0, colon) : authority};
    return is_numeric_address(host) || same_word(host, "localhost") || same_word(host, announced_name) ||
           std::any_of(names.begin(), names.end(), [&](const std::string& name) { return same_word(host, name); });
}

// Another site's script or picture: by Origin (RFC 6454) and Fetch Metadata. To follow a link is a person's own doing;
// a frame looks the same here, and X-Frame-Options forbids it.
bool is_from_elsewhere(const Head& head, std::string_view host) {
    constexpr std::string_view scheme = "https://";
    for (const auto origin : values(head, "Origin"))
        if (!origin.starts_with(scheme) || !same_word(origin.substr(scheme.size()), host)) return true;
    const auto sites = values(head, "Sec-Fetch-Site"), modes = values(head, "Sec-Fetch-Mode");
    const bool followed = modes.size() == 1 && modes.front() == "navigate";
    return !followed && std::any_of(sites.begin(), sites.end(),
                                    [](std::string_view site) { return site != "same-origin" && site != "none"; });
}

bool is_well_formed(const Head& head) {
    if (head.version != "HTTP/1.1" && head.version != "HTTP/1.0") return false;
    if (!is_token(head.method) || head.fields.size() > fields_max) return false;
    if (head.target.empty() || head.target.front() != '/' || head.target.size() > target_bytes_max) return false;
    if (has_control(head.target) || head.target.find('\t') != std::string::npos) return false;
    return std::all_of(head.fields.begin(), head.fields.end(),
                       [](const auto& field) { return is_token(field.first) && !has_control(field.second); });
}

} // namespace

std::optional<Refusal> examine(const Head& head, const std::vector<std::string>& names) {
    if (!is_well_formed(head)) return bad_request;
    const auto bytes = body_bytes(head);
    if (!bytes || !values(head, "Transfer-Encoding").empty()) return bad_request;
    const auto hosts = values(head, "Host");
    if (hosts.size() != 1 || hosts.front().empty()) return bad_request;
    if (!is_ours(hosts.front(), names)) return wrong_host;
    if (is_from_elsewhere(head, hosts.front())) return wrong_origin;
    if (head.method != "GET" && head.method != "HEAD") return wrong_method;
    if (*bytes > 0 || !values(head, "Expect").empty() || !values(head, "Upgrade").empty()) return bad_request;
    return std::nullopt;
}

} // namespace clinic::https
