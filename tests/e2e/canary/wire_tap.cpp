#include "tests/e2e/canary/wire_tap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>

namespace clinic::e2e {
namespace {

constexpr std::size_t strays_max = 50;
constexpr int buffer_bytes = 64 << 20;
constexpr unsigned first_own_port = 32'768; // that the kernel gives to a socket without one
constexpr int loopback_index = 1;           // of every network

unsigned byte_at(const std::string& packet, std::size_t at) {
    return at < packet.size() ? static_cast<unsigned char>(packet[at]) : 0U;
}
unsigned port_at(const std::string& packet, std::size_t at) {
    return byte_at(packet, at) << 8 | byte_at(packet, at + 1);
}

struct Packet {
    bool is_v6 = false;
    unsigned protocol = 0;
    std::size_t head = 0;        // where the ports are
    std::size_t length = 0;      // of all, as the header says
    std::string to;              // the address
    bool is_kernels_own = false; // a card's own talk with its neighbours, which IPv6 has without any program
};

Packet read(const std::string& bytes) {
    Packet packet;
    packet.is_v6 = byte_at(bytes, 0) >> 4 == 6;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const std::string padded = bytes + std::string(64, '\0');
    if (!packet.is_v6) {
        packet.protocol = byte_at(bytes, 9);
        packet.head = (byte_at(bytes, 0) & 15U) * 4U;
        packet.length = port_at(bytes, 2);
        inet_ntop(AF_INET, padded.data() + 16, text.data(), text.size());
    } else {
        packet.protocol = byte_at(bytes, 6);
        packet.head = 40;
        packet.length = packet.head + port_at(bytes, 4);
        inet_ntop(AF_INET6, padded.data() + 24, text.data(), text.size());
        if (packet.protocol == IPPROTO_HOPOPTS) { // one option that says "look at this", before a report of groups
            packet.protocol = byte_at(bytes, packet.head);
            packet.head += 8U * (byte_at(bytes, packet.head + 1) + 1U);
        }
        const unsigned type = byte_at(bytes, packet.head);
        constexpr unsigned router_solicitation = 133, redirect = 137, group_report = 143;
        packet.is_kernels_own = packet.protocol == IPPROTO_ICMPV6 &&
                                ((type >= router_solicitation && type <= redirect) || type == group_report);
    }
    packet.to = text.data();
    return packet;
}

} // namespace

bool enter_own_network() {
    if (unshare(CLONE_NEWNET) != 0) return false;
    return std::system(
               "ip link set lo up && ip link add out type veth peer name end && "
               "sysctl -q -w net.ipv6.conf.end.disable_ipv6=1 net.ipv6.conf.out.accept_dad=0 && "
               "ip link set out arp off && ip link set end arp off && ip link set end up && ip link set out up && "
               "ip addr add 192.0.2.1/24 dev out && ip route add default via 192.0.2.2 dev out && "
               "ip -6 addr add 2001:db8::1/64 dev out nodad && ip -6 route add default dev out") == 0;
}

// The bytes of the inbound port are dropped by the kernel where they come in, over the loopback: they would be most of
// all, and they may hold anything. What leaves is kept, whatever its port.
WireTap::WireTap(std::set<unsigned short> known, unsigned short inbound)
    : known_{std::move(known)}, inbound_{inbound}, socket_{socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    std::array<sock_filter, 15> program{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_IFINDEX)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loopback_index, 0, 11),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(SKF_AD_OFF + SKF_AD_PROTOCOL)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 9),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), // the protocol
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 7),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), // a fragment has no ports
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1FFF, 5, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, inbound_, 3, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, inbound_, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0x40000),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    const sock_fprog filter{.len = static_cast<unsigned short>(program.size()), .filter = program.data()};
    setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes);
    sockaddr_ll everything{};
    everything.sll_family = AF_PACKET;
    everything.sll_protocol = htons(ETH_P_ALL);
    if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&everything), sizeof everything) != 0) std::abort();
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

WireTap::~WireTap() = default;

void WireTap::run(const std::stop_token& stop) {
    std::string packet;
    while (!stop.stop_requested()) {
        pollfd ready{socket_.get(), POLLIN, 0};
        if (poll(&ready, 1, 100) <= 0) continue; // looks at `stop` between
        packet.resize(0x40000);
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        const ssize_t got =
            recvfrom(socket_.get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
        if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) {
            // On the loopback each packet comes twice; elsewhere the one that goes out is all there is.
            if (got <= 0 || from.sll_ifindex == loopback_index) continue;
        }
        packet.resize(static_cast<std::size_t>(got));
        take(packet, from.sll_ifindex == loopback_index);
    }
}

void WireTap::take(const std::string& bytes, bool loopback) {
    const Packet packet = read(bytes);
    const bool is_tcp = packet.protocol == IPPROTO_TCP;
    const unsigned from = port_at(bytes, packet.head);
    const unsigned to = port_at(bytes, packet.head + 2);
    const std::lock_guard lock{mutex_};
    bytes_ += bytes;
    const bool is_ours =
        loopback && is_tcp && !packet.is_v6 &&
        (known_.contains(static_cast<unsigned short>(from)) || known_.contains(static_cast<unsigned short>(to)));
    // Before it is contained, clinicd makes the sockets of its self-test: two ends of its own that say nothing.
    const std::size_t heads = packet.head + (byte_at(bytes, packet.head + 12) >> 4) * 4U;
    const bool is_self_test =
        loopback && is_tcp && from >= first_own_port && to >= first_own_port && packet.length == heads;
    if (is_ours || is_self_test || packet.is_kernels_own || strays_.size() >= strays_max) return;
    strays_.push_back((loopback ? "loopback" : "outward") + std::string{", protocol "} +
                      std::to_string(packet.protocol) + ", from port " + std::to_string(from) + " to " + packet.to +
                      " port " + std::to_string(to));
}

std::vector<std::string> WireTap::strays() const {
    const std::lock_guard lock{mutex_};
    return strays_;
}

std::string WireTap::bytes() const {
    const std::lock_guard lock{mutex_};
    return bytes_;
}

bool WireTap::saw_all() const {
    tpacket_stats counted{};
    socklen_t size = sizeof counted;
    return getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &counted, &size) == 0 && counted.tp_drops == 0;
}

} // namespace clinic::e2e
