#include "daemon/intake/mllp_connection.h"

namespace clinic::intake {

MllpConnection::MllpConnection(base::UniqueFd socket, const Address& from, const TlsContext* context,
                               std::size_t frame_bytes_max, base::Micros now)
    : fd{std::move(socket)}, peer{std::make_shared<const Peer>(Peer{.address = from})}, decoder{frame_bytes_max},
      came_at{now}, heard_at{now}, taken_at{now} {
    if (context != nullptr) tls = std::make_unique<TlsSession>(*context);
}

bool MllpConnection::settle(std::uint64_t number, std::string text, std::size_t& bytes_released,
                            std::uint64_t& answers) {
    if (slots.empty() || number < slots.front().number) return false;
    const std::uint64_t at = number - slots.front().number;
    if (at >= slots.size() || slots[at].answer) return false;
    bytes_released = slots[at].bytes;
    slots[at].answer = std::move(text);
    std::string said;
    while (!slots.empty() && slots.front().answer) {
        if (!slots.front().answer->empty()) {
            said += '\x0B' + *slots.front().answer + "\x1C\r";
            ++answers;
        }
        slots.pop_front();
    }
    if (tls)
        tls->say(said, output);
    else
        output += said;
    return true;
}

} // namespace clinic::intake
