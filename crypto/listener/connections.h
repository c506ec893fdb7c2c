// Who is connected: a bound per network and one in all, and an end for those who keep a worker waiting.
//   Bounds:  ConnectionBounds, of connections that hold a worker; viewers of live events are counted apart. Reached:
//            the one that has kept us waiting longest, of the network that has most, makes room for who comes now, so
//            that a crowd of silent clients pushes out its own. Where nobody waits, who comes is turned away.
//   Threads: any.
//   Source:  facts/poco §1 (a silent client holds a worker).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

struct sockaddr;

namespace clinic::listener {

// Whom we hold together: an IPv4 address, also one mapped into IPv6, or the first 64 bits of an IPv6 address, since
// one host may take any number of addresses under them. Empty for what is not IP.
std::string network_of(const sockaddr& peer);

struct ConnectionBounds {
    int per_network_max = 512;
    int all_max = 600;
    std::chrono::seconds request_time_max{15}; // from the end of one answer to the end of the next request's head
    std::chrono::seconds answer_time_max{5};   // after it, who does not take its answer may be made to leave
};

class Connections {
public:
    using Time = std::chrono::steady_clock::time_point;

    // One connection, for as long as it has its socket.
    class Ticket {
    public:
        Ticket(Connections& all, int socket, std::string network);
        ~Ticket();
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;
        void waits_for_request(); // the clock runs
        void hears(int bytes);    // of a request, so far without an end
        void answers();           // it stands still
        void becomes_viewer();    // no worker any more, and no end
        void closes();            // before the socket does

    private:
        friend class Connections;
        enum class Phase : std::uint8_t { waiting, answering, viewing, closed };
        Connections& all_;
        const int socket_;
        const std::string network_;
        Phase phase_ = Phase::waiting;
        bool heard_ = false; // some of a request, and no end of it
        Time since_ = std::chrono::steady_clock::now();
    };

    explicit Connections(ConnectionBounds bounds) : bounds_{bounds} {}

    std::unique_ptr<Ticket> admit(int socket, const std::string& network); // null: there is no room
    void end_overdue(Time now); // shuts down sockets whose request took too long; their worker sees the end
    void end_all();             // and admits nobody any more
    std::int64_t open() const;  // that hold a worker, or wait for one
    std::int64_t refused() const;
    std::int64_t overdue() const;
    std::int64_t displaced() const;  // ended to make room
    std::int64_t unfinished() const; // ended by the other side, or unreadable, within a request

private:
    // Under the mutex.
    void leave(const std::string& network);
    bool has_room(const std::string& network);
    bool displace(const std::string* network); // null: of any
    bool may_be_displaced(const Ticket& ticket, Time now) const;

    const ConnectionBounds bounds_;
    mutable std::mutex mutex_;
    std::set<Ticket*> tickets_;
    std::map<std::string, int> by_network_;
    int held_ = 0; // the sum of them
    std::int64_t refused_ = 0, overdue_ = 0, displaced_ = 0, unfinished_ = 0;
    bool ended_ = false;
};

} // namespace clinic::listener
