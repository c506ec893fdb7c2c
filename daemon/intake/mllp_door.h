// The listening sockets of the MLLP server, and who may come in by them. Private to the server.
//   Bounds:  MllpOptions: connections in all and per address.
//   Threads: the server's loop; Counters any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "daemon/intake/feeds.h"
#include "daemon/intake/mllp_server.h"

namespace clinic::intake {

// MllpNumbers, written by the loop and read by any thread.
struct MllpCounters {
    std::mutex mutex;
    MllpNumbers numbers;
    template <class Change>
    void change(const Change& change_numbers) {
        const std::scoped_lock lock{mutex};
        change_numbers(numbers);
    }
};

bool watch_fd(int epoll, int operation, int fd, std::uint64_t key, std::uint32_t events);

class MllpDoor {
public:
    struct Guest {
        base::UniqueFd socket;
        Address address;
    };

    MllpDoor(MllpPorts ports, const MllpOptions& options, std::shared_ptr<const Feeds> feeds, const Clock& clock,
             MllpCounters& counters);

    static constexpr std::uint64_t plain_key = 0, tls_key = 1; // in the epoll set
    Result<void> open(int epoll);
    void shut();                               // nobody comes in any more
    std::optional<Guest> let_in(bool secured); // nullopt: nobody waits, or not that one
    void left(const Address& address);
    bool admits(const Peer& peer) const { return feeds_->table()->admits(peer); }
    bool list_has_changed(); // since it was asked last
    void look_again();       // after a lack of descriptors
    const TlsContext* tls() const { return ports_.context.get(); }
    // A line of log at most every few seconds: who knocks again and again does not fill the journal. Who it is about,
    // and by which door.
    void complain(const Error& error, const Address& from, bool secured);

private:
    bool may_come(const Address& address, bool secured);
    void pause(bool secured);
    bool is_time_to_complain();
    int port(bool secured) const;

    MllpPorts ports_;
    const MllpOptions& options_;
    const std::shared_ptr<const Feeds> feeds_;
    std::shared_ptr<const FeedTable> seen_;
    const Clock& clock_;
    MllpCounters& counters_;
    std::map<Address, std::size_t> per_address_;
    std::size_t inside_ = 0;
    int epoll_ = -1;
    bool paused_ = false;
    std::optional<base::Micros> complained_at_;
    std::int64_t complaints_ = 0;
};

} // namespace clinic::intake
