// Who is connected: a bound per address, and an end for those who keep a worker waiting.
//   Bounds:  `per_address_max` connections that hold a worker; viewers of live events are counted apart.
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

namespace clinic::api {

class Connections {
public:
    using Time = std::chrono::steady_clock::time_point;

    // One connection, for as long as it has its socket.
    class Ticket {
    public:
        Ticket(Connections& all, int socket, std::string address);
        ~Ticket();
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;
        void waits_for_request(); // the clock runs
        void answers();           // it stands still
        void becomes_viewer();    // no worker any more, and no end
        void closes();            // before the socket does

    private:
        friend class Connections;
        enum class Phase : std::uint8_t { waiting, answering, viewing, closed };
        Connections& all_;
        const int socket_;
        const std::string address_;
        Phase phase_ = Phase::waiting;
        Time since_ = std::chrono::steady_clock::now();
    };

    Connections(int per_address_max, std::chrono::seconds request_time_max)
        : per_address_max_{per_address_max}, request_time_max_{request_time_max} {}

    std::unique_ptr<Ticket> admit(int socket, const std::string& address); // null: this address has enough
    void end_overdue(Time now); // shuts down sockets whose request took too long; their worker sees the end
    void end_all();             // and admits nobody any more
    std::int64_t open() const;  // that hold a worker, or wait for one
    std::int64_t refused() const;
    std::int64_t overdue() const;

private:
    void leave(const std::string& address); // under the mutex

    const int per_address_max_;
    const std::chrono::seconds request_time_max_;
    mutable std::mutex mutex_;
    std::set<Ticket*> tickets_;
    std::map<std::string, int> by_address_;
    std::int64_t refused_ = 0, overdue_ = 0;
    bool ended_ = false;
};

} // namespace clinic::api
