#include "provisioning/page_trust/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::provisioning {
namespace {

struct Network {
    std::uint32_t address, mask;
};
constexpr std::array<Network, 5> private_networks{{{0x7f000000, 0xff000000},
                                                   {0x0a000000, 0xff000000},
                                                   {0xac100000, 0xfff00000},
                                                   {0xc0a80000, 0xffff0000},
                                                   {0xa9fe0000, 0xffff0000}}};

bool is_private(const in_addr& address) {
    const std::uint32_t number = ntohl(address.s_addr);
    return std::any_of(private_networks.begin(), private_networks.end(),
                       [&](const Network& one) { return (number & one.mask) == one.address; });
}

bool is_private(const in6_addr& address) {
    return IN6_IS_ADDR_LOOPBACK(&address) || (address.s6_addr[0] & 0xfeU) == 0xfc;
}

// Empty: it is not one of ours.
std::string text_of(const sockaddr* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address->sa_family == AF_INET) {
        const auto* known = reinterpret_cast<const sockaddr_in*>(address);
        if (is_private(known->sin_addr)) inet_ntop(AF_INET, &known->sin_addr, text.data(), text.size());
    } else if (address->sa_family == AF_INET6) {
        const auto* known = reinterpret_cast<const sockaddr_in6*>(address);
        if (is_private(known->sin6_addr)) inet_ntop(AF_INET6, &known->sin6_addr, text.data(), text.size());
    }
    return text.data();
}

} // namespace

bool is_private(const std::string& address) {
    in_addr four{};
    in6_addr six{};
    if (inet_pton(AF_INET, address.c_str(), &four) == 1) return is_private(four);
    return inet_pton(AF_INET6, address.c_str(), &six) == 1 && is_private(six);
}

std::vector<std::string> private_addresses() {
    std::vector<std::string> found{"127.0.0.1", "::1"};
    ifaddrs* all = nullptr;
    if (getifaddrs(&all) != 0) return found;
    const std::unique_ptr<ifaddrs, base::FreedBy<freeifaddrs>> kept{all};
    for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_UP) == 0) continue;
        auto text = text_of(one->ifa_addr);
        if (!text.empty() && std::find(found.begin(), found.end(), text) == found.end())
            found.push_back(std::move(text));
    }
    return found;
}

} // namespace clinic::provisioning
