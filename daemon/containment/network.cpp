#include "daemon/containment/network.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "crypto/base/files.h"

namespace clinic::containment {
namespace {

constexpr std::size_t proc_bytes_max = 65'536;

std::string proc(const std::string& path) {
    auto text = base::read_text(path, proc_bytes_max);
    return text ? std::move(text).value() : std::string{};
}

// Each table has a line of names, and one for each socket or route.
bool nobody_listens(const std::string& folder) {
    const std::array tables{"route", "tcp", "tcp6", "udp", "udp6", "raw", "raw6", "udplite"};
    return std::none_of(tables.begin(), tables.end(), [&](const char* table) {
        const std::string lines = proc(folder + "/net/" + table);
        return std::count(lines.begin(), lines.end(), '\n') > 1;
    });
}

} // namespace

bool network_is_empty(const std::string& folder) {
    const std::string devices = proc(folder + "/net/dev");
    std::size_t interfaces = 0;
    bool only_loopback = true;
    for (std::size_t from = 0, end; (end = devices.find('\n', from)) != std::string::npos; from = end + 1) {
        const std::string_view line{devices.data() + from, end - from};
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        ++interfaces;
        const auto name = line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' '));
        if (name != "lo") only_loopback = false;
    }
    return interfaces == 1 && only_loopback && nobody_listens(folder);
}

} // namespace clinic::containment
