#include "daemon/intake/address_list.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace clinic::intake {
namespace {

constexpr int mapped_bits = 96; // ::ffff:0:0/96

Address mapped(const in_addr& address) {
    Address out{};
    out[10] = out[11] = 0xFF;
    std::memcpy(out.data() + 12, &address, sizeof address);
    return out;
}

} // namespace

Address address_of(const sockaddr_storage& peer) {
    Address out{};
    if (peer.ss_family == AF_INET) {
        sockaddr_in ip4;
        std::memcpy(&ip4, &peer, sizeof ip4);
        return mapped(ip4.sin_addr);
    }
    if (peer.ss_family == AF_INET6) {
        sockaddr_in6 ip6;
        std::memcpy(&ip6, &peer, sizeof ip6);
        std::memcpy(out.data(), &ip6.sin6_addr, out.size());
    }
    return out;
}

std::string text_of(const Address& address) {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    const bool is_version_4 = std::equal(mapped.begin(), mapped.end(), address.begin());
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(is_version_4 ? AF_INET : AF_INET6, address.data() + (is_version_4 ? mapped.size() : 0), text,
              sizeof text);
    return text;
}

Result<AddressList::Block> AddressList::parse_block(std::string_view entry) {
    constexpr Error bad{Errc::malformed, "not an IP address or CIDR block", "write 192.168.1.20 or 192.168.1.0/24"};
    const std::size_t slash = entry.find('/');
    const std::string literal{entry.substr(0, slash)};
    Block block{{}, 128};
    in_addr ip4;
    const bool is_ip4 = inet_pton(AF_INET, literal.c_str(), &ip4) == 1;
    if (is_ip4)
        block.address = mapped(ip4);
    else if (inet_pton(AF_INET6, literal.c_str(), block.address.data()) != 1)
        return bad;
    if (slash == std::string_view::npos) return block;

    const std::string_view digits = entry.substr(slash + 1);
    int bits = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (failed != std::errc{} || end != digits.data() + digits.size() || bits < 0 || bits > (is_ip4 ? 32 : 128))
        return bad;
    block.bits = is_ip4 ? bits + mapped_bits : bits;
    return block;
}

Result<AddressList> AddressList::parse(const std::vector<std::string>& entries) {
    AddressList list;
    for (const auto& entry : entries) {
        const auto block = parse_block(entry);
        if (!block) return block.error();
        list.blocks_.push_back(*block);
    }
    return list;
}

bool AddressList::contains(const Address& address) const {
    const auto holds = [&address](const Block& block) {
        for (int bit = 0; bit < block.bits; bit += 8) {
            const auto at = static_cast<std::size_t>(bit / 8);
            const int left = std::min(8, block.bits - bit);
            const auto mask = static_cast<std::uint8_t>(0xFF00U >> static_cast<unsigned>(left));
            if ((address[at] & mask) != (block.address[at] & mask)) return false;
        }
        return true;
    };
    return std::any_of(blocks_.begin(), blocks_.end(), holds);
}

} // namespace clinic::intake
