#include "tests/bench/requests_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "tests/bench/arguments.h"

namespace clinic::bench {

RequestsLog::RequestsLog(const std::filesystem::path& file, std::string text)
    : text_{std::move(text)}, file_{open(file.c_str(), O_RDONLY | O_CLOEXEC)}, inotify_{inotify_init1(IN_CLOEXEC |
                                                                                                      IN_NONBLOCK)} {
    if (!file_ || inotify_add_watch(inotify_.get(), file.c_str(), IN_MODIFY) < 0)
        give_up("cannot read " + file.string());
    lseek(file_.get(), 0, SEEK_END);
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

void RequestsLog::run(const std::stop_token& stop) {
    std::array<char, 4'096> events{};
    while (!stop.stop_requested()) {
        pollfd on{inotify_.get(), POLLIN, 0};
        if (poll(&on, 1, 50) > 0 && read(inotify_.get(), events.data(), events.size()) > 0) read_on();
    }
}

void RequestsLog::read_on() {
    std::array<char, 65'536> bytes{};
    for (ssize_t got = 0; (got = read(file_.get(), bytes.data(), bytes.size())) > 0;)
        part_.append(bytes.data(), static_cast<std::size_t>(got));
    const Instant at = now();
    const std::lock_guard lock{mutex_};
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = part_.find('\n', begin)) != std::string::npos; begin = end + 1) {
        const auto line = std::string_view{part_}.substr(begin, end - begin);
        const bool contact = line.find("\"path\":\"/contacts/") != std::string_view::npos;
        if (contact && line.find(text_) != std::string_view::npos) arrived_.push_back(at);
    }
    part_.erase(0, begin);
    grown_.notify_all();
}

std::size_t RequestsLog::count() const {
    const std::lock_guard lock{mutex_};
    return arrived_.size();
}

Instant RequestsLog::wait_for(std::size_t count, std::chrono::seconds patience) {
    std::unique_lock lock{mutex_};
    if (!grown_.wait_for(lock, patience, [&] { return arrived_.size() >= count; }))
        give_up("only " + std::to_string(arrived_.size()) + " of " + std::to_string(count) + " requests came");
    return arrived_[count - 1];
}

std::vector<Instant> RequestsLog::arrivals() const {
    const std::lock_guard lock{mutex_};
    return arrived_;
}

} // namespace clinic::bench
