#include "daemon/intake/mllp_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace clinic::intake {
namespace {

constexpr std::uint64_t wake_key = 2, first_connection_key = 3;
constexpr int events_max = 256, turns_max = 16;
constexpr std::chrono::milliseconds tick{500}, short_tick{50};

} // namespace

MllpLoop::MllpLoop(MllpPorts ports, const MllpOptions& options, std::shared_ptr<const Feeds> feeds, const Clock& clock,
                   MllpServer::Handler handler, std::shared_ptr<MllpCounters> counters)
    : options_{options}, clock_{clock}, handler_{std::move(handler)}, counters_{std::move(counters)},
      door_{std::move(ports), options_, std::move(feeds), clock, *counters_}, next_key_{first_connection_key} {}

Result<void> MllpLoop::prepare() {
    base::UniqueFd wake{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
    const Error failed{Errc::system, "the MLLP port could not be served", "", {}, errno};
    if (!wake || !epoll_) return failed;
    mailbox_ = std::make_shared<MllpMailbox>(std::move(wake));
    CLINIC_TRY(door_.open(epoll_.get()));
    if (!watch_fd(epoll_.get(), EPOLL_CTL_ADD, mailbox_->fd(), wake_key, EPOLLIN)) return failed;
    return {};
}

void MllpLoop::stop() {
    stopping_ = true;
    mailbox_->wake();
}

void MllpLoop::run() {
    while (!stopping_) turn(timeout_ms());
    door_.shut();
    const auto deadline = std::chrono::steady_clock::now() + options_.stop_max;
    for (const std::uint64_t key : keys()) {
        MllpConnection& connection = connections_.at(key);
        connection.ended = true; // no more reading
        connection.input.clear();
        close_or_go_on(key, connection, Go::on);
    }
    while (!connections_.empty() && std::chrono::steady_clock::now() < deadline)
        turn(static_cast<int>(short_tick.count()));
    for (const std::uint64_t key : keys()) close(key);
}

std::vector<std::uint64_t> MllpLoop::keys() const {
    std::vector<std::uint64_t> keys;
    for (const auto& [key, connection] : connections_) keys.push_back(key);
    return keys;
}

int MllpLoop::timeout_ms() const {
    const bool awaits = std::any_of(connections_.begin(), connections_.end(),
                                    [](const auto& entry) { return entry.second.decoder.awaits_return(); });
    return static_cast<int>((awaits ? short_tick : tick).count());
}

void MllpLoop::turn(int timeout_ms) {
    std::array<epoll_event, events_max> events;
    const int count = epoll_wait(epoll_.get(), events.data(), events_max, timeout_ms);
    options_.pulse.beat();
    for (int at = 0; at < count; ++at) {
        const epoll_event& event = events[static_cast<std::size_t>(at)];
        if (event.data.u64 == MllpDoor::plain_key || event.data.u64 == MllpDoor::tls_key)
            accept_some(event.data.u64 == MllpDoor::tls_key);
        else if (event.data.u64 == wake_key)
            deliver();
        else
            serve(event.data.u64, event.events);
    }
    settle_bare_ends();
    if (clock_.monotonic() - looked_at_ < tick) return;
    looked_at_ = clock_.monotonic();
    look_around();
}

void MllpLoop::accept_some(bool secured) {
    for (int turns = 0; turns < turns_max; ++turns) {
        auto guest = door_.let_in(secured);
        if (!guest) return;
        const std::uint64_t key = next_key_++;
        if (!watch_fd(epoll_.get(), EPOLL_CTL_ADD, guest->socket.get(), key, EPOLLIN)) {
            door_.left(guest->address);
            continue;
        }
        const auto [at, added] =
            connections_.try_emplace(key, std::move(guest->socket), guest->address, secured ? door_.tls() : nullptr,
                                     options_.frame_bytes_max, clock_.monotonic());
        at->second.watched = EPOLLIN;
        counters_->change([](MllpNumbers& numbers) { ++numbers.accepted, ++numbers.open; });
    }
}

void MllpLoop::serve(std::uint64_t key, std::uint32_t events) {
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    MllpConnection& connection = found->second;
    Go go = Go::on;
    if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && connection.ended)) go = Go::end;
    if (go == Go::on && (events & EPOLLOUT) != 0) go = write_some(connection);
    if (go == Go::on && (events & (EPOLLIN | EPOLLHUP)) != 0) go = read_some(key, connection);
    close_or_go_on(key, connection, go);
}

void MllpLoop::close_or_go_on(std::uint64_t key, MllpConnection& connection, Go go) {
    if (go == Go::on) say_goodbye(connection);
    if (go == Go::end || has_finished(connection)) return close(key);
    rewatch(key, connection);
}

// Room to take another frame: in order of answers, in memory. What is thrown away takes none.
bool MllpLoop::has_room(const MllpConnection& connection) const {
    return connection.leaving ||
           (connection.slots.size() < options_.pending_frames_max &&
            connection.output.size() < options_.unsent_bytes_max && held_bytes_ < options_.held_bytes_max);
}

// The sender closed its side, and has all its answers.
bool MllpLoop::has_finished(const MllpConnection& connection) const {
    return connection.ended && connection.input.empty() && connection.slots.empty() && connection.output.empty();
}

MllpLoop::Go MllpLoop::read_some(std::uint64_t key, MllpConnection& connection) {
    for (int turns = 0; turns < turns_max && !connection.ended; ++turns) {
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
        if (take_bytes(key, connection, bytes) == Go::end) return Go::end;
    }
    return Go::on;
}

MllpLoop::Go MllpLoop::take_bytes(std::uint64_t key, MllpConnection& connection, std::string_view bytes) {
    if (connection.leaving) {
        connection.thrown_away += bytes.size();
        return connection.thrown_away > options_.thrown_away_bytes_max ? Go::end : Go::on;
    }
    return connection.tls ? decrypt(key, connection, bytes) : decode(key, connection, bytes);
}

MllpLoop::Go MllpLoop::decrypt(std::uint64_t key, MllpConnection& connection, std::string_view bytes) {
    const bool greeting = connection.is_greeting();
    plain_.clear();
    connection.tls->take(bytes, plain_, connection.output);
    if (greeting && !connection.is_greeting() && welcome(connection) == Go::end) return Go::end;
    Go go = decode(key, connection, plain_);
    if (connection.tls->state() == TlsSession::State::closed) {
        connection.ended = true;
        if (connection.decoder.awaits_return()) take_bare_end(key, connection);
    }
    if (go == Go::on && connection.tls->state() == TlsSession::State::failed)
        go = end_by(&MllpNumbers::tls_failed, connection, "closed: a TLS record that is none",
                    "look at what stands between the sender and this box");
    return go == Go::on ? write_some(connection) : go;
}

// The handshake is over: who is it?
MllpLoop::Go MllpLoop::welcome(MllpConnection& connection) {
    if (connection.tls->state() == TlsSession::State::failed) {
        static_cast<void>(write_some(connection)); // the alert says why
        return end_by(&MllpNumbers::tls_failed, connection,
                      "closed: a TLS handshake failed, or had no certificate of the CA",
                      "give the sender a certificate of mllp.tls.client_ca, and TLS 1.2 or 1.3");
    }
    auto peer = *connection.peer;
    peer.secured = true;
    peer.names = connection.tls->names();
    connection.peer = std::make_shared<const Peer>(std::move(peer));
    if (!door_.admits(*connection.peer))
        return end_by(&MllpNumbers::refused_certificate, connection, "a certificate that no feed names was turned away",
                      "clinicctl feed add NAME --certificate NAME");
    counters_->change([](MllpNumbers& numbers) { ++numbers.secured; });
    return Go::on;
}

MllpLoop::Go MllpLoop::decode(std::uint64_t key, MllpConnection& connection, std::string_view bytes) {
    Go go = Go::on;
    while (go == Go::on && !bytes.empty() && !connection.leaving) {
        if (!has_room(connection)) {
            connection.input = std::string{bytes};
            break;
        }
        go = act(key, connection, connection.decoder.feed(bytes));
        time_frame(connection);
    }
    count_decoder(connection);
    return go;
}

MllpLoop::Go MllpLoop::act(std::uint64_t key, MllpConnection& connection, MllpDecoder::Step step) {
    switch (step) {
    case MllpDecoder::Step::more: break;
    case MllpDecoder::Step::frame: take_frame(key, connection, Frame::State::whole); break;
    case MllpDecoder::Step::damaged: take_frame(key, connection, Frame::State::damaged); break;
    case MllpDecoder::Step::lost:
        lose_frame(connection);
        connection.frame_at.reset(); // another begins in its place
        break;
    case MllpDecoder::Step::oversized:
        take_frame(key, connection, Frame::State::oversized);
        connection.leaving = true;
        end_by(&MllpNumbers::oversized, connection, "a frame above the bound was refused",
               "have its sender send it in parts, or raise mllp.message_bytes_max");
        break;
    case MllpDecoder::Step::not_mllp:
        return end_by(&MllpNumbers::not_mllp, connection, "closed: HTTP or TLS on the MLLP port",
                      "send MLLP here; by TLS, to the port for it");
    case MllpDecoder::Step::junk:
        return end_by(&MllpNumbers::junk, connection, "closed: a stream without frames",
                      "have the sender put each message between 0B and 1C 0D");
    }
    return Go::on;
}

void MllpLoop::time_frame(MllpConnection& connection) const {
    if (!connection.decoder.inside_frame()) {
        connection.frame_at.reset();
        connection.owes_end.reset();
        return;
    }
    const base::Micros now = clock_.monotonic();
    if (!connection.frame_at) connection.frame_at = now;
    if (!connection.owes_end) connection.owes_end = now;
}

void MllpLoop::take_bare_end(std::uint64_t key, MllpConnection& connection) {
    const bool damaged = connection.decoder.end_without_return() == MllpDecoder::Step::damaged;
    take_frame(key, connection, damaged ? Frame::State::damaged : Frame::State::whole);
    time_frame(connection);
    count_decoder(connection);
}

MllpLoop::Go MllpLoop::end_by(std::uint64_t MllpNumbers::*counter, const MllpConnection& connection, Literal why,
                              Literal remedy) {
    counters_->change([counter](MllpNumbers& numbers) { ++(numbers.*counter); });
    door_.complain({Errc::refused, why, remedy}, connection.peer->address, connection.tls != nullptr);
    return Go::end;
}

void MllpLoop::take_frame(std::uint64_t key, MllpConnection& connection, Frame::State state) {
    // One that came whole in the bytes just read was not timed.
    Frame frame{connection.decoder.take(), state, connection.peer, connection.frame_at.value_or(connection.heard_at)};
    const std::uint64_t number = connection.frames++;
    connection.slots.push_back({number, frame.bytes.size(), std::nullopt});
    held_bytes_ += frame.bytes.size();
    connection.frame_at.reset();
    connection.owes_end.reset();
    counters_->change([](MllpNumbers& numbers) { ++numbers.frames; });
    handler_(std::move(frame), [mailbox = mailbox_, key, number](std::string text) {
        mailbox->put({key, number, std::move(text)});
    });
}

void MllpLoop::lose_frame(const MllpConnection& connection) {
    counters_->change([](MllpNumbers& numbers) { ++numbers.lost; });
    handler_({{}, Frame::State::lost, connection.peer}, [](const std::string&) {});
}

// What the decoder has seen and what it holds, since the last look.
void MllpLoop::count_decoder(MllpConnection& connection) {
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

void MllpLoop::deliver() {
    for (auto& letter : mailbox_->take()) {
        const auto found = connections_.find(letter.connection);
        if (found == connections_.end()) continue; // it went away; its bytes were released then
        std::size_t released = 0;
        std::uint64_t answers = 0;
        if (!found->second.settle(letter.frame, std::move(letter.text), released, answers)) continue;
        held_bytes_ -= released;
        counters_->change([answers](MllpNumbers& numbers) { numbers.answers += answers; });
        close_or_go_on(letter.connection, found->second, write_some(found->second));
    }
    resume();
}

// Connections that had to wait for room go on with what they have read already.
void MllpLoop::resume() {
    std::vector<std::uint64_t> waiting;
    for (const auto& [key, connection] : connections_)
        if (!connection.input.empty() || connection.watched == 0) waiting.push_back(key);
    for (const std::uint64_t key : waiting) {
        MllpConnection& connection = connections_.at(key);
        const std::string input = std::exchange(connection.input, {});
        close_or_go_on(key, connection, decode(key, connection, input));
    }
}

MllpLoop::Go MllpLoop::write_some(MllpConnection& connection) {
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

// The last answer is out: we close our side, and give the sender time to read it. To close at once, with bytes of its
// own unread, would take the answer away from it.
void MllpLoop::say_goodbye(MllpConnection& connection) {
    if (!connection.leaving || connection.left_at || !connection.slots.empty() || !connection.output.empty()) return;
    if (connection.tls) {
        connection.tls->end(connection.output);
        static_cast<void>(write_some(connection));
        connection.output.clear();
    }
    shutdown(connection.fd.get(), SHUT_WR);
    connection.left_at = clock_.monotonic();
}

// A frame that ended with 1C and no 0D: after a moment without a byte it is whole.
void MllpLoop::settle_bare_ends() {
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

bool MllpLoop::is_overdue(const MllpConnection& connection, base::Micros now) const {
    if (connection.left_at) return now - *connection.left_at > options_.linger_max;
    if (!connection.output.empty() && now - connection.taken_at > options_.unsent_max) return true;
    if (!connection.slots.empty() || !connection.input.empty()) return false; // it waits for us
    if (connection.is_greeting()) return now - connection.came_at > options_.greeting_max;
    const base::Micros silent = now - connection.heard_at;
    if (!connection.decoder.inside_frame()) return silent > options_.idle_max;
    return silent > options_.gap_max || (connection.owes_end && now - *connection.owes_end > options_.frame_max);
}

void MllpLoop::look_around() {
    const base::Micros now = clock_.monotonic();
    std::vector<std::uint64_t> overdue;
    for (const auto& [key, connection] : connections_)
        if (is_overdue(connection, now)) overdue.push_back(key);
    for (const std::uint64_t key : overdue) {
        const MllpConnection& still = connections_.at(key);
        if (!still.left_at)
            end_by(&MllpNumbers::timed_out, still, "closed: a connection stood still",
                   "see whether its sender hangs; it may connect again");
        close(key);
    }
    if (!overdue.empty()) resume();
    if (door_.list_has_changed()) show_out();
    door_.look_again();
}

// Those who are not on the list any more get their answers, and that is all.
void MllpLoop::show_out() {
    for (const std::uint64_t key : keys()) {
        MllpConnection& connection = connections_.at(key);
        if (connection.is_greeting() || connection.leaving || door_.admits(*connection.peer)) continue;
        if (connection.decoder.inside_frame()) lose_frame(connection);
        connection.decoder = MllpDecoder{options_.frame_bytes_max};
        connection.told = {};
        count_decoder(connection);
        connection.input.clear();
        connection.leaving = true;
        close_or_go_on(key, connection, Go::on);
    }
}

void MllpLoop::rewatch(std::uint64_t key, MllpConnection& connection) {
    std::uint32_t wanted = connection.output.empty() ? 0U : static_cast<std::uint32_t>(EPOLLOUT);
    if (!connection.ended && connection.input.empty() && has_room(connection)) wanted |= EPOLLIN;
    if (wanted == connection.watched) return;
    if (watch_fd(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), key, wanted)) connection.watched = wanted;
}

void MllpLoop::close(std::uint64_t key) {
    const auto found = connections_.find(key);
    if (found == connections_.end()) return;
    if (found->second.decoder.inside_frame()) lose_frame(found->second);
    held_bytes_ -= found->second.buffered;
    for (const auto& slot : found->second.slots)
        if (!slot.answer) held_bytes_ -= slot.bytes;
    door_.left(found->second.peer->address);
    connections_.erase(found); // closing the socket takes it out of the epoll set
    counters_->change([](MllpNumbers& numbers) { --numbers.open; });
}

} // namespace clinic::intake
