// Who may speak to a port: IPv4 and IPv6 addresses and CIDR blocks. An IPv4 address that comes mapped into IPv6 counts
// as itself.
//   Errors:  malformed for what is neither. An empty list lets nobody in.
//   Threads: const once made.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::intake {

// 16 bytes, IPv4 as ::ffff:a.b.c.d.
using Address = std::array<std::uint8_t, 16>;

Address address_of(const sockaddr_storage& peer); // zeros for what is not IP
std::string text_of(const Address& address);      // as people write it

class AddressList {
public:
    static Result<AddressList> parse(const std::vector<std::string>& entries);
    bool contains(const Address& address) const;

private:
    struct Block {
        Address address;
        int bits; // of the 128
    };
    static Result<Block> parse_block(std::string_view entry);
    std::vector<Block> blocks_;
};

} // namespace clinic::intake
