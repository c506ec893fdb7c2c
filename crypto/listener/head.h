// What the head of an HTTP request must be before anybody looks at what it asks for. The library's parser is lenient
// (facts/poco §4): whatever two readers could take for two different requests is none here.
//   Threads: values; any.
//   Source:  RFC 9112 §3.2, §6.1-6.3, §11.2; design, "Bounds".
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace Poco::Net {
class HTTPRequest;
}

namespace clinic::listener {

inline constexpr std::size_t target_bytes_max = 1'024;
inline constexpr std::size_t fields_max = 64;

struct Head {
    std::string method, target, version;
    std::vector<std::pair<std::string, std::string>> fields; // in order, doubled ones too
};

Head head_of(const Poco::Net::HTTPRequest& request);

bool same_word(std::string_view a, std::string_view b); // in ASCII, in whatever case
std::vector<std::string_view> values(const Head& head, std::string_view name);

// The bytes of its body, 0 where there is none. nullopt: it is not well formed, a length is no plain number or there
// twice, the body has a transfer coding, or there is not exactly one Host.
std::optional<std::size_t> body_bytes(const Head& head);

} // namespace clinic::listener
