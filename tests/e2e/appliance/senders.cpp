#include "tests/e2e/appliance/senders.h"

#include "tests/e2e/appliance/clinic.h"
#include "tests/e2e/wire.h"

namespace clinic::e2e {

bool Spoken::is_acknowledged() const {
    return acknowledgement(answer) == "AA";
}

std::ostream& operator<<(std::ostream& out, const Spoken& one) {
    return out << one.message.substr(0, one.message.find('\r')) << " was answered "
               << (one.answer.empty() ? "with nothing" : one.answer) << (one.ended ? ", and hung up on" : "");
}

Senders::Senders(std::size_t count, std::function<std::string()> message)
    : message_{std::move(message)}, spoken_(count) {
    for (auto& mine : spoken_) threads_.emplace_back([this, &mine] { speak(mine); });
}

std::vector<Spoken> Senders::end() {
    over_ = true;
    threads_.clear();
    std::vector<Spoken> all;
    for (const auto& mine : spoken_) all.insert(all.end(), mine.begin(), mine.end());
    return all;
}

void Senders::speak(std::vector<Spoken>& mine) {
    while (!over_) {
        const auto socket = tcp(mllp_port);
        while (socket && !over_) {
            auto& now = mine.emplace_back(Spoken{.message = message_(), .answer = {}});
            if (!send_all(socket, mllp_frame(now.message))) break;
            auto heard = hear(socket, patience_s, "\x1c\r");
            now.answer = std::move(heard.bytes);
            now.ended = heard.ended;
            if (!now.is_acknowledged()) break;
            ++acknowledged_;
        }
    }
}

} // namespace clinic::e2e
