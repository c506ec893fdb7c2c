// EgressServer from within: one thread that owns the connections, and the store's jobs that answer it.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/egress/egress_server.h"
#include "daemon/egress/measures.h"

namespace clinic::egress {

using envelope::Destination;
using std::chrono::steady_clock;

inline constexpr std::uint64_t listener_mark = 0, wake_mark = 1, first_connection = 2; // of what is watched

// A lease request that found nothing and waits for a commit, a due time or its end.
struct Waiting {
    Destination destination;
    steady_clock::time_point until;
    envelope::Least least;
};

struct Connection {
    base::UniqueFd socket;
    bool busy = false; // a request is with the store; nothing is read meanwhile
    std::optional<Waiting> waiting;
    std::map<std::int64_t, outbox::Addressed> leases; // and where each was handed out to
    std::int64_t asking = 0;                          // a question about this lease of its own is with the store
    bool settling = false;                            // its settlement
    std::set<std::int64_t> reads;                     // ledger lines of requests that serve no lease, not settled yet
    bool settling_reads = false;
};

struct Answer {
    std::uint64_t connection;
    envelope::Reply reply;
    std::int64_t about = 0;              // the lease of the asker that the question was about
    bool over = false;                   // which the answer ended
    std::optional<Waiting> wait_instead; // an empty lease whose asker is willing to wait
    bool blocked = false;
    bool unparked = false; // what waited for a trusted clock is pending again
    std::int64_t read = 0; // the ledger line of a request that serves no lease
};

// What a request about envelopes is put to.
struct Behind {
    Gate& gate;
    records::Store& store;
    release::Releaser& releaser;
};

struct EgressServer::State {
    State(base::UniqueFd listening, ServerOptions how, std::optional<Behind> parts, health::Health& well,
          const Clock& time)
        : listener{std::move(listening)}, options{std::move(how)}, behind{parts}, health{well}, clock{time},
          began{offset()} {}

    base::UniqueFd listener;
    ServerOptions options;
    const std::optional<Behind> behind; // absent: the records are closed
    health::Health& health;
    const Clock& clock;
    base::Micros began; // what the clock was ahead of the boot clock at the last look, or settlement

    base::UniqueFd poll, event;
    std::map<std::uint64_t, Connection> connections;
    std::uint64_t next_connection = first_connection;
    const std::unique_ptr<char[]> frame =
        std::make_unique_for_overwrite<char[]>(envelope::frame_bytes_max + 1); // the newest request
    bool clock_was_trusted = false;
    Measures measures;

    std::mutex mutex; // guards `answers` and `to_release`
    std::vector<Answer> answers;
    std::set<std::int64_t> to_release; // leases that nobody holds and that the store could not take back yet
    std::atomic<bool> due{false};
    std::atomic<int> jobs{0}; // posted and not yet answered: `this` must outlive them
    std::jthread thread;      // last: joined first

    void ring() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto put = write(event.get(), &one, sizeof one);
    }
    // The last touch of this object by another thread is under the mutex: the destructor takes it once more.
    void answer(Answer made) {
        const std::lock_guard lock{mutex};
        const bool rung = !answers.empty(); // and not taken yet
        answers.push_back(std::move(made));
        if (!rung) ring();
        --jobs;
        jobs.notify_all();
    }

    Result<void> watch(int fd, std::uint64_t mark) const {
        epoll_event about{.events = EPOLLIN, .data = {.u64 = mark}};
        if (epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &about) != 0)
            return Error{Errc::system, "a socket cannot be watched", "", {}, errno};
        return {};
    }
    void listen_to(std::uint64_t id, bool on) {
        epoll_event about{.events = on ? std::uint32_t{EPOLLIN} : 0U, .data = {.u64 = id}};
        epoll_ctl(poll.get(), EPOLL_CTL_MOD, connections.at(id).socket.get(), &about);
    }

    // Posts a store job that ends in an answer for this connection, whatever happens.
    void ask_store(std::uint64_t id, std::function<Result<Answer>(records::Transaction&)> work, std::int64_t about = 0);
    void reply(std::uint64_t id, const envelope::Reply& reply);
    void close(std::uint64_t id);
    void release(std::int64_t lease);
    void release_again();
    void post_aside(records::Store::Job work);
    void end_read(std::int64_t line);
    void write_polls();
    base::Micros offset() const { return base::Micros{clock.now().micros} - clock.monotonic(); }
    void notice_step();

    void accept_one();
    void read_one(std::uint64_t id);
    void handle(std::uint64_t id, const envelope::LeaseRequest& request);
    void handle(std::uint64_t id, const envelope::Attempt& request);
    void handle(std::uint64_t id, const envelope::Settle& request);
    void handle(std::uint64_t id, const envelope::TimeState& request);
    void handle(std::uint64_t id, const envelope::DeviceRequest& request);
    void handle(std::uint64_t id, const envelope::DeviceAck& request);
    void handle(std::uint64_t id, const envelope::CrmFact& request);
    void handle(std::uint64_t id, const envelope::MatchProbe& request);
    void handle(std::uint64_t id, const envelope::CrmPolled& request);
    void handle(std::uint64_t id, const envelope::CrmWalk& request);
    template <class Request, class Reply>
    void reconcile(std::uint64_t id, const Request& request,
                   Result<Reply> (crm::Reconciler::*what)(records::Transaction&, const Request&));
    void ask_lease(std::uint64_t id, Waiting waiting);
    Result<envelope::Lease> lease_apart(records::Transaction& txn, Destination destination) const;
    void take_answers();
    void take(Answer made);
    void serve_waiting(bool something_due);
    void run(const std::stop_token& stop);
};

} // namespace clinic::egress
