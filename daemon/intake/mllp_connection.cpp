#include "daemon/intake/mllp_connection.h"

namespace clinic::intake {

bool MllpConnection::settle(std::uint64_t number, std::string text, std::size_t& bytes_released,
                            std::uint64_t& answers) {
    if (slots.empty() || number < slots.front().number) return false;
    const std::uint64_t at = number - slots.front().number;
    if (at >= slots.size() || slots[at].answer) return false;
    bytes_released = slots[at].bytes;
    slots[at].answer = std::move(text);
    while (!slots.empty() && slots.front().answer) {
        if (!slots.front().answer->empty()) {
            output += '\x0B' + *slots.front().answer + "\x1C\r";
            ++answers;
        }
        slots.pop_front();
    }
    return true;
}

} // namespace clinic::intake
