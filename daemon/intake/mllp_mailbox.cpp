#include "daemon/intake/mllp_mailbox.h"

#include <unistd.h>

#include <utility>

namespace clinic::intake {

void MllpMailbox::put(Letter letter) {
    {
        const std::scoped_lock lock{mutex_};
        letters_.push_back(std::move(letter));
    }
    wake();
}

void MllpMailbox::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one); // full: it is awake already
}

std::vector<MllpMailbox::Letter> MllpMailbox::take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto read = ::read(wake_.get(), &count, sizeof count);
    const std::scoped_lock lock{mutex_};
    return std::exchange(letters_, {});
}

} // namespace clinic::intake
