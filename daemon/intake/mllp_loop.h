// The loop of the MLLP server: its connections, what they bring, what they get. Private to the server.
//   Threads: run() its own; stop() any.
#pragma once

#include <array>
#include <atomic>
#include <unordered_map>

#include "daemon/intake/mllp_connection.h"
#include "daemon/intake/mllp_door.h"
#include "daemon/intake/mllp_mailbox.h"
#include "daemon/intake/mllp_server.h"

namespace clinic::intake {

class MllpLoop {
public:
    MllpLoop(MllpPorts ports, const MllpOptions& options, std::shared_ptr<const Feeds> feeds, const Clock& clock,
             MllpServer::Handler handler, std::shared_ptr<MllpCounters> counters);

    Result<void> prepare();
    void run();
    void stop();

private:
    using Connections = std::unordered_map<std::uint64_t, MllpConnection>;
    enum class Go : std::uint8_t { on, end };

    void turn(int timeout_ms);
    void accept_some(bool secured);
    void serve(std::uint64_t key, std::uint32_t events);
    Go read_some(std::uint64_t key, MllpConnection& connection);
    Go take_bytes(std::uint64_t key, MllpConnection& connection, std::string_view bytes);
    Go decrypt(std::uint64_t key, MllpConnection& connection, std::string_view bytes);
    Go welcome(MllpConnection& connection);
    Go decode(std::uint64_t key, MllpConnection& connection, std::string_view bytes);
    Go act(std::uint64_t key, MllpConnection& connection, MllpDecoder::Step step);
    void take_frame(std::uint64_t key, MllpConnection& connection, Frame::State state);
    void take_bare_end(std::uint64_t key, MllpConnection& connection);
    void lose_frame(const MllpConnection& connection);
    void time_frame(MllpConnection& connection) const;
    Go write_some(MllpConnection& connection);
    void say_goodbye(MllpConnection& connection);
    void deliver();
    void resume();
    void settle_bare_ends();
    void look_around();
    void show_out();
    bool is_overdue(const MllpConnection& connection, base::Micros now) const;
    bool has_room(const MllpConnection& connection) const;
    bool has_finished(const MllpConnection& connection) const;
    void rewatch(std::uint64_t key, MllpConnection& connection);
    void count_decoder(MllpConnection& connection);
    void close(std::uint64_t key);
    void close_or_go_on(std::uint64_t key, MllpConnection& connection, Go go);
    int timeout_ms() const;
    Go end_by(std::uint64_t MllpNumbers::*counter, const MllpConnection& connection, Literal why, Literal remedy);
    std::vector<std::uint64_t> keys() const;

    base::UniqueFd epoll_;
    const MllpOptions options_;
    const Clock& clock_;
    const MllpServer::Handler handler_;
    const std::shared_ptr<MllpCounters> counters_;
    MllpDoor door_;
    std::shared_ptr<MllpMailbox> mailbox_;
    Connections connections_;
    std::uint64_t next_key_;
    std::size_t held_bytes_ = 0; // handed on and not yet answered
    base::Micros looked_at_{};   // the last look_around()
    std::array<char, 65'536> buffer_{};
    std::string plain_; // of one read, decrypted
    std::atomic<bool> stopping_{false};
};

} // namespace clinic::intake
