#include "tests/e2e/canary/wire_tap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
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

unsigned byte_at(const std::string& packet, std::size_t at) {
    return at < packet.size() ? static_cast<unsigned char>(packet[at]) : 0U;
}
unsigned port_at(const std::string& packet, std::size_t at) {
    return byte_at(packet, at) << 8 | byte_at(packet, at + 1);
}

} // namespace

bool enter_own_network() {
    if (unshare(CLONE_NEWNET) != 0) return false;
    return std::system(
               "ip link set lo up && ip link add out type veth peer name end && "
               "sysctl -q -w net.ipv6.conf.out.disable_ipv6=1 net.ipv6.conf.end.disable_ipv6=1 && "
               "ip link set out arp off && ip link set end arp off && ip link set end up && ip link set out up && "
               "ip addr add 192.0.2.1/24 dev out && ip route add default via 192.0.2.2 dev out") == 0;
}

// The bytes of the inbound port are dropped by the kernel: they would be most of all, and they may hold anything.
WireTap::WireTap(std::set<unsigned short> known, unsigned short inbound)
    : known_{std::move(known)}, inbound_{inbound}, socket_{socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    std::array<sock_filter, 11> program{{
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
    const unsigned loopback = if_nametoindex("lo");
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
            if (got <= 0 || static_cast<unsigned>(from.sll_ifindex) == loopback) continue;
        }
        packet.resize(static_cast<std::size_t>(got));
        take(packet, static_cast<unsigned>(from.sll_ifindex) == loopback);
    }
}

void WireTap::take(const std::string& packet, bool loopback) {
    const bool is_tcp = byte_at(packet, 0) >> 4 == 4 && byte_at(packet, 9) == IPPROTO_TCP;
    const std::size_t head = (byte_at(packet, 0) & 15U) * 4U;
    const unsigned from = port_at(packet, head);
    const unsigned to = port_at(packet, head + 2);
    const std::lock_guard lock{mutex_};
    bytes_ += packet;
    const bool ours =
        loopback && is_tcp &&
        (known_.contains(static_cast<unsigned short>(from)) || known_.contains(static_cast<unsigned short>(to)));
    // Before it is contained, clinicd makes the sockets of its self-test: two ends of its own that say nothing.
    const std::size_t heads = head + (byte_at(packet, head + 12) >> 4) * 4U;
    const bool is_self_test = loopback && is_tcp && from >= first_own_port && to >= first_own_port &&
                              (byte_at(packet, 2) << 8 | byte_at(packet, 3)) == heads;
    if (ours || is_self_test || strays_.size() >= strays_max) return;
    strays_.push_back((loopback ? "loopback" : "outward") + std::string{", protocol "} +
                      std::to_string(byte_at(packet, 9)) + ", from port " + std::to_string(from) + " to " +
                      std::to_string(byte_at(packet, 16)) + "." + std::to_string(byte_at(packet, 17)) + "." +
                      std::to_string(byte_at(packet, 18)) + "." + std::to_string(byte_at(packet, 19)) + " port " +
                      std::to_string(to));
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
