#include "daemon/intake/mllp_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "crypto/base/log.h"
#include "daemon/intake/mllp_connection.h"

namespace clinic::intake {
namespace {

constexpr std::uint64_t listener_key = 0, wake_key = 1, first_connection_key = 2;
constexpr std::size_t read_bytes = 65'536;
constexpr int events_max = 256, reads_in_turn_max = 16;
constexpr std::chrono::milliseconds tick{500}, short_tick{50};
constexpr std::chrono::seconds complain_every{10};

Error system_error(Literal what) {
    return Error{Errc::system, what, "", {}, errno};
}

// Answers from other threads, and the way to wake the loop. Outlives the server: an answer may come late.
class Mailbox {
public:
    struct Letter {
        std::uint64_t connection, frame;
        std::string text;
    };

    explicit Mailbox(base::UniqueFd wake) : wake_{std::move(wake)} {}
    int fd() const { return wake_.get(); }

    void put(Letter letter) {
        {
            const std::scoped_lock lock{mutex_};
            letters_.push_back(std::move(letter));
        }
        wake();
    }
    void wake() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one); // full: it is awake already
    }
    std::vector<Letter> take() {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto read = ::read(wake_.get(), &count, sizeof count);
        const std::scoped_lock lock{mutex_};
        return std::exchange(letters_, {});
    }

private:
    base::UniqueFd wake_;
    std::mutex mutex_;
    std::vector<Letter> letters_;
};

void set_option(int fd, int level, int name, int value) {
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        base::log(base::Level::warning, "intake", system_error("a socket option was not set"));
}

bool watch(int epoll, int operation, int fd, std::uint64_t key, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = key;
    return epoll_ctl(epoll, operation, fd, &event) == 0;
}

} // namespace

// MllpNumbers, written by the loop and read by any thread.
struct MllpServer::Counters {
    std::mutex mutex;
    MllpNumbers numbers;
    template <class Change>
    void change(const Change& change_numbers) {
        const std::scoped_lock lock{mutex};
        change_numbers(numbers);
    }
};

class MllpServer::Loop {
public:
    Loop(base::UniqueFd listener, const MllpOptions& options, AddressList allowed, const Clock& clock, Handler handler,
         std::shared_ptr<Counters> counters)
        : listener_{std::move(listener)}, options_{options}, allowed_{std::move(allowed)}, clock_{clock},
          handler_{std::move(handler)}, counters_{std::move(counters)} {}

    Result<void> prepare();
    void run();
    void stop() {
        stopping_ = true;
        mailbox_->wake();
    }

private:
    using Connections = std::unordered_map<std::uint64_t, MllpConnection>;
    enum class Go : std::uint8_t { on, end };

    void turn(int timeout_ms);
    void accept_some();
    void pause_accepting();
    void complain(const Error& error);
    void admit(base::UniqueFd socket, const sockaddr_storage& peer);
    void serve(std::uint64_t key, std::uint32_t events);
    Go read_some(std::uint64_t key, MllpConnection& connection);
    Go decode(std::uint64_t key, MllpConnection& connection, std::string_view bytes);
    void take_frame(std::uint64_t key, MllpConnection& connection, bool damaged);
    void take_bare_end(std::uint64_t key, MllpConnection& connection);
    Go write_some(MllpConnection& connection);
    void deliver();
    void resume();
    void settle_bare_ends();
    void end_overdue();
    bool has_room(const MllpConnection& connection) const;
    bool has_finished(const MllpConnection& connection) const;
    void rewatch(std::uint64_t key, MllpConnection& connection);
    void count_decoder(MllpConnection& connection);
    void close(std::uint64_t key);
    int timeout_ms() const;
    Go end_by(std::uint64_t MllpNumbers::*counter, Literal why);

    base::UniqueFd listener_, epoll_;
    const MllpOptions options_;
    const AddressList allowed_;
    const Clock& clock_;
    const Handler handler_;
    const std::shared_ptr<Counters> counters_;
    std::shared_ptr<Mailbox> mailbox_;
    Connections connections_;
    std::map<Address, std::size_t> per_address_;
    std::uint64_t next_key_ = first_connection_key;
    std::size_t held_bytes_ = 0; // handed on and not yet answered
    base::Micros looked_at_{};   // the last end_overdue()
    std::optional<base::Micros> complained_at_;
    std::int64_t complaints_ = 0;
    bool accepting_ = true;
    std::array<char, read_bytes> buffer_{};
    std::atomic<bool> stopping_{false};
};

Result<void> MllpServer::Loop::prepare() {
    base::UniqueFd wake{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    const int flags = fcntl(listener_.get(), F_GETFL);
    if (!wake || !epoll_ || flags < 0) return system_error("the MLLP port could not be served");
    if (fcntl(listener_.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        return system_error("the MLLP port could not be made non-blocking");
    mailbox_ = std::make_shared<Mailbox>(std::move(wake));
    if (!watch(epoll_.get(), EPOLL_CTL_ADD, listener_.get(), listener_key, EPOLLIN) ||
        !watch(epoll_.get(), EPOLL_CTL_ADD, mailbox_->fd(), wake_key, EPOLLIN))
        return system_error("the MLLP port could not be watched");
    return {};
}

void MllpServer::Loop::run() {
    while (!stopping_) turn(timeout_ms());
    listener_.reset();
    const auto deadline = std::chrono::steady_clock::now() + options_.stop_max;
    std::vector<std::uint64_t> keys;
    for (auto& [key, connection] : connections_) keys.push_back(key);
    for (const std::uint64_t key : keys) {
        const auto found = connections_.find(key);
        found->second.ended = true; // no more reading
        found->second.input.clear();
        if (has_finished(found->second))
            close(key);
        else
            rewatch(key, found->second);
    }
    while (!connections_.empty() && std::chrono::steady_clock::now() < deadline)
        turn(static_cast<int>(short_tick.count()));
    connections_.clear();
    counters_->change([](MllpNumbers& numbers) { numbers.open = 0; });
}

int MllpServer::Loop::timeout_ms() const {
    const bool awaits = std::any_of(connections_.begin(), connections_.end(),
                                    [](const auto& entry) { return entry.second.decoder.awaits_return(); });
    return static_cast<int>((awaits ? short_tick : tick).count());
}

void MllpServer::Loop::turn(int timeout_ms) {
    std::array<epoll_event, events_max> events;
    const int count = epoll_wait(epoll_.get(), events.data(), events_max, timeout_ms);
    for (int at = 0; at < count; ++at) {
        const epoll_event& event = events[static_cast<std::size_t>(at)];
        if (event.data.u64 == listener_key)
            accept_some();
        else if (event.data.u64 == wake_key)
            deliver();
        else
            serve(event.data.u64, event.events);
    }
    settle_bare_ends();
    if (clock_.monotonic() - looked_at_ < tick) return;
    looked_at_ = clock_.monotonic();
    end_overdue();
}

void MllpServer::Loop::accept_some() {
    for (int turns = 0; turns < reads_in_turn_max && listener_; ++turns) {
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        base::UniqueFd socket{
            accept4(listener_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!socket) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) pause_accepting();
            return;
        }
        admit(std::move(socket), peer);
    }
}

// Out of descriptors: the listener would wake us for ever. It is watched again at the next look around.
void MllpServer::Loop::pause_accepting() {
    complain(system_error("a connection could not be accepted"));
    accepting_ = !watch(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), listener_key, 0);
}

// A line of log at most every few seconds: who knocks again and again does not fill the journal.
void MllpServer::Loop::complain(const Error& error) {
    const base::Micros now = clock_.monotonic();
    ++complaints_;
    if (complained_at_ && now - *complained_at_ < complain_every) return;
    complained_at_ = now;
    base::log(base::Level::warning, "intake: MLLP", error,
              {{"since_last", std::exchange(complaints_, std::int64_t{0})}});
}

void MllpServer::Loop::admit(base::UniqueFd socket, const sockaddr_storage& peer) {
    const Address address = address_of(peer);
    if (!allowed_.contains(address)) {
        counters_->change([](MllpNumbers& numbers) { ++numbers.refused_address; });
        complain({Errc::unauthorized, "an address that is not listed was turned away", "list it, if it is a sender"});
        return;
    }
    const auto from_there = per_address_.find(address);
    const std::size_t open_there = from_there == per_address_.end() ? 0 : from_there->second;
    if (connections_.size() >= options_.connections_max || open_there >= options_.connections_per_address_max) {
        counters_->change([](MllpNumbers& numbers) { ++numbers.refused_full; });
        complain({Errc::full, "a connection above the bound was turned away"});
        return;
    }
    const int fd = socket.get();
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options_.keep_alive.count()));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 30);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
    const std::uint64_t key = next_key_++;
    if (!watch(epoll_.get(), EPOLL_CTL_ADD, fd, key, EPOLLIN)) return;
    const auto [at, added] =
        connections_.try_emplace(key, std::move(socket), address, options_.frame_bytes_max, clock_.monotonic());
    at->second.watched = EPOLLIN;
    ++per_address_[address];
    counters_->change([](MllpNumbers& numbers) { ++numbers.accepted, ++numbers.open; });
}

void MllpServer::Loop::serve(std::uint64_t key, std::uint32_t events) {
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    MllpConnection& connection = found->second;
    Go go = Go::on;
    if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && connection.ended)) go = Go::end;
    if (go == Go::on && (events & EPOLLOUT) != 0) go = write_some(connection);
    if (go == Go::on && (events & (EPOLLIN | EPOLLHUP)) != 0) go = read_some(key, connection);
    if (go == Go::end || has_finished(connection)) return close(key);
    rewatch(key, connection);
}

// Room to take another frame: in order of answers, in memory, and while we are not stopping.
bool MllpServer::Loop::has_room(const MllpConnection& connection) const {
    return connection.slots.size() < options_.pending_frames_max &&
           connection.output.size() < options_.unsent_bytes_max && held_bytes_ < options_.held_bytes_max;
}

// The sender closed its side, and has all its answers.
bool MllpServer::Loop::has_finished(const MllpConnection& connection) const {
    return connection.ended && connection.input.empty() && connection.slots.empty() && connection.output.empty();
}

MllpServer::Loop::Go MllpServer::Loop::read_some(std::uint64_t key, MllpConnection& connection) {
    for (int turns = 0; turns < reads_in_turn_max && !connection.ended; ++turns) {
        if (!has_room(connection) || !connection.input.empty()) return Go::on;
        const ssize_t count = recv(connection.fd.get(), buffer_.data(), buffer_.size(), 0);
        if (count < 0) return errno == EAGAIN || errno == EINTR ? Go::on : Go::end;
        if (count == 0) {
            connection.ended = true;
            if (connection.decoder.awaits_return()) take_bare_end(key, connection);
            return Go::on;
        }
        connection.heard_at = clock_.monotonic();
        const std::string_view bytes{buffer_.data(), static_cast<std::size_t>(count)};
        counters_->change([&](MllpNumbers& numbers) { numbers.bytes += bytes.size(); });
        if (decode(key, connection, bytes) == Go::end) return Go::end;
    }
    return Go::on;
}

MllpServer::Loop::Go MllpServer::Loop::decode(std::uint64_t key, MllpConnection& connection, std::string_view bytes) {
    Go go = Go::on;
    while (go == Go::on && !bytes.empty()) {
        if (!has_room(connection)) {
            connection.input = std::string{bytes};
            break;
        }
        switch (connection.decoder.feed(bytes)) {
        case MllpDecoder::Step::more: break;
        case MllpDecoder::Step::frame: take_frame(key, connection, false); break;
        case MllpDecoder::Step::damaged: take_frame(key, connection, true); break;
        case MllpDecoder::Step::oversized:
            go = end_by(&MllpNumbers::oversized, "closed: a frame above the bound");
            break;
        case MllpDecoder::Step::not_mllp:
            go = end_by(&MllpNumbers::not_mllp, "closed: HTTP or TLS on the MLLP port");
            break;
        case MllpDecoder::Step::junk: go = end_by(&MllpNumbers::junk, "closed: a stream without frames"); break;
        }
    }
    count_decoder(connection);
    return go;
}

void MllpServer::Loop::take_bare_end(std::uint64_t key, MllpConnection& connection) {
    const bool damaged = connection.decoder.end_without_return() == MllpDecoder::Step::damaged;
    take_frame(key, connection, damaged);
    count_decoder(connection);
}

MllpServer::Loop::Go MllpServer::Loop::end_by(std::uint64_t MllpNumbers::*counter, Literal why) {
    counters_->change([counter](MllpNumbers& numbers) { ++(numbers.*counter); });
    complain({Errc::refused, why});
    return Go::end;
}

void MllpServer::Loop::take_frame(std::uint64_t key, MllpConnection& connection, bool damaged) {
    std::string frame = connection.decoder.take();
    const std::uint64_t number = connection.frames++;
    connection.slots.push_back({number, frame.size(), std::nullopt});
    held_bytes_ += frame.size();
    counters_->change([](MllpNumbers& numbers) { ++numbers.frames; });
    handler_(std::move(frame), damaged, [mailbox = mailbox_, key, number](std::string text) {
        mailbox->put({key, number, std::move(text)});
    });
}

// What the decoder has seen and what it holds, since the last look.
void MllpServer::Loop::count_decoder(MllpConnection& connection) {
    held_bytes_ += connection.decoder.buffered_bytes();
    held_bytes_ -= std::exchange(connection.buffered, connection.decoder.buffered_bytes());
    const DecoderNumbers& now = connection.decoder.numbers();
    const DecoderNumbers before = std::exchange(connection.told, now);
    counters_->change([&](MllpNumbers& numbers) {
        numbers.junk_bytes += now.junk_bytes - before.junk_bytes;
        numbers.bare_ends += now.bare_ends - before.bare_ends;
        numbers.restarts += now.restarts - before.restarts;
        numbers.damaged += now.damaged - before.damaged;
    });
}

void MllpServer::Loop::deliver() {
    for (auto& letter : mailbox_->take()) {
        const auto found = connections_.find(letter.connection);
        if (found == connections_.end()) continue; // it went away; its bytes were released then
        std::size_t released = 0;
        std::uint64_t answers = 0;
        if (!found->second.settle(letter.frame, std::move(letter.text), released, answers)) continue;
        held_bytes_ -= released;
        counters_->change([answers](MllpNumbers& numbers) { numbers.answers += answers; });
        if (write_some(found->second) == Go::end || has_finished(found->second))
            close(letter.connection);
        else
            rewatch(letter.connection, found->second);
    }
    resume();
}

// Connections that had to wait for room go on with what they have read already.
void MllpServer::Loop::resume() {
    std::vector<std::uint64_t> waiting;
    for (const auto& [key, connection] : connections_)
        if (!connection.input.empty() || connection.watched == 0) waiting.push_back(key);
    for (const std::uint64_t key : waiting) {
        MllpConnection& connection = connections_.at(key);
        const std::string input = std::exchange(connection.input, {});
        if (decode(key, connection, input) == Go::end || has_finished(connection))
            close(key);
        else
            rewatch(key, connection);
    }
}

MllpServer::Loop::Go MllpServer::Loop::write_some(MllpConnection& connection) {
    while (!connection.output.empty()) {
        const ssize_t count =
            send(connection.fd.get(), connection.output.data(), connection.output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) return errno == EAGAIN || errno == EINTR ? Go::on : Go::end;
        connection.output.erase(0, static_cast<std::size_t>(count));
        connection.taken_at = clock_.monotonic();
    }
    connection.taken_at = clock_.monotonic();
    return Go::on;
}

// A frame that ended with 1C and no 0D: after a moment without a byte it is whole.
void MllpServer::Loop::settle_bare_ends() {
    const base::Micros now = clock_.monotonic();
    std::vector<std::uint64_t> due;
    for (const auto& [key, connection] : connections_)
        if (connection.decoder.awaits_return() && !connection.ended && now - connection.heard_at >= options_.end_grace)
            due.push_back(key);
    for (const std::uint64_t key : due) {
        MllpConnection& connection = connections_.at(key);
        take_bare_end(key, connection);
        rewatch(key, connection);
    }
}

void MllpServer::Loop::end_overdue() {
    const base::Micros now = clock_.monotonic();
    std::vector<std::uint64_t> overdue;
    for (const auto& [key, connection] : connections_) {
        const base::Micros silent = now - connection.heard_at;
        const bool waits_for_us = !connection.slots.empty() || !connection.input.empty();
        const bool unfinished = connection.decoder.inside_frame() && !waits_for_us && silent > options_.gap_max;
        const bool unread = !connection.output.empty() && now - connection.taken_at > options_.unsent_max;
        if (unfinished || unread || (!waits_for_us && silent > options_.idle_max)) overdue.push_back(key);
    }
    for (const std::uint64_t key : overdue) {
        end_by(&MllpNumbers::timed_out, "closed: a connection stood still");
        close(key);
    }
    if (!overdue.empty()) resume();
    if (!accepting_) accepting_ = watch(epoll_.get(), EPOLL_CTL_MOD, listener_.get(), listener_key, EPOLLIN);
}

void MllpServer::Loop::rewatch(std::uint64_t key, MllpConnection& connection) {
    std::uint32_t wanted = connection.output.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT);
    if (!connection.ended && connection.input.empty() && has_room(connection)) wanted |= EPOLLIN;
    if (wanted == connection.watched) return;
    if (watch(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), key, wanted)) connection.watched = wanted;
}

void MllpServer::Loop::close(std::uint64_t key) {
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    held_bytes_ -= found->second.buffered;
    for (const auto& slot : found->second.slots)
        if (!slot.answer) held_bytes_ -= slot.bytes;
    const auto from_there = per_address_.find(found->second.address);
    if (from_there != per_address_.end() && --from_there->second == 0) per_address_.erase(from_there);
    connections_.erase(found); // closing the socket takes it out of the epoll set
    counters_->change([](MllpNumbers& numbers) { --numbers.open; });
}

MllpServer::MllpServer() : counters_{std::make_shared<Counters>()} {}

Result<std::unique_ptr<MllpServer>> MllpServer::start(base::UniqueFd listener, const MllpOptions& options,
                                                      const Clock& clock, Handler handler) {
    if (options.frame_bytes_max == 0 || options.frame_bytes_max > frame_bytes_highest)
        return Error{Errc::malformed, "the bound of a frame is out of range", "1 byte to 10 MiB"};
    auto allowed = AddressList::parse(options.allowed);
    if (!allowed) return allowed.error();
    std::unique_ptr<MllpServer> server{new MllpServer};
    server->loop_ = std::make_unique<Loop>(std::move(listener), options, std::move(*allowed), clock, std::move(handler),
                                           server->counters_);
    CLINIC_TRY(server->loop_->prepare());
    server->thread_ = std::jthread{[loop = server->loop_.get()] { loop->run(); }};
    return server;
}

MllpServer::~MllpServer() {
    stop();
}

void MllpServer::stop() {
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
}

MllpNumbers MllpServer::numbers() const {
    const std::scoped_lock lock{counters_->mutex};
    return counters_->numbers;
}

} // namespace clinic::intake
