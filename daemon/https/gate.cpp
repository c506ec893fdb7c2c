#include "daemon/https/gate.h"

#include <arpa/inet.h>

#include <algorithm>

namespace clinic::https {
namespace {

using listener::same_word;
using listener::values;

constexpr Refusal bad_request{400, "bad_request", "refused.request"};
constexpr Refusal wrong_method{405, "method_not_allowed", "refused.method"};
constexpr Refusal wrong_host{421, "wrong_host", "refused.host"};
constexpr Refusal wrong_origin{403, "wrong_origin", "refused.origin"};

constexpr std::string_view announced_name = "clinic-edge.local"; // every box's, by mDNS

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

} // namespace

std::optional<Refusal> examine(const Head& head, const std::vector<std::string>& names) {
    const auto bytes = listener::body_bytes(head);
    if (!bytes) return bad_request;
    const auto host = values(head, "Host").front();
    if (!is_ours(host, names)) return wrong_host;
    if (is_from_elsewhere(head, host)) return wrong_origin;
    if (head.method != "GET" && head.method != "HEAD") return wrong_method;
    if (*bytes > 0 || !values(head, "Expect").empty() || !values(head, "Upgrade").empty()) return bad_request;
    return std::nullopt;
}

} // namespace clinic::https
