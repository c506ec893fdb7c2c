#include "daemon/egress/egress_server.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "crypto/base/log.h"
#include "daemon/egress/measures.h"

namespace clinic::egress {
namespace {

using base::Level;
using envelope::Destination;
using std::chrono::steady_clock;

constexpr std::uint64_t listener_mark = 0;
constexpr std::uint64_t wake_mark = 1;
constexpr std::uint64_t first_connection = 2;
constexpr auto idle_look = std::chrono::milliseconds{1'000}; // a retry falls due without a commit
constexpr std::chrono::minutes polls_written_each{15};
constexpr base::Micros step_back = std::chrono::seconds{2}; // of the clock, between two looks: no mere correction

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
    std::set<std::int64_t> leases;
    std::int64_t asking = 0;      // a question about this lease of its own is with the store
    bool settling = false;        // its settlement
    std::set<std::int64_t> reads; // ledger lines of requests that serve no lease, not settled yet
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

constexpr const char* closed_code = "closed"; // there is no store to ask
constexpr auto no_descriptors_pause = std::chrono::milliseconds{100};

envelope::Refused refused(const Error& error) {
    return {error.code == Errc::full ? "busy" : error.code == Errc::malformed ? "malformed" : "refused"};
}

// What a request about envelopes is put to.
struct Behind {
    Gate& gate;
    records::Store& store;
    release::Releaser& releaser;
};

} // namespace

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

void EgressServer::State::ask_store(std::uint64_t id, std::function<Result<Answer>(records::Transaction&)> work,
                                    std::int64_t about) {
    if (!behind) return reply(id, envelope::Refused{closed_code});
    connections.at(id).asking = about;
    auto made = std::make_shared<Answer>(Answer{.connection = id, .reply = envelope::Refused{"busy"}});
    ++jobs;
    const bool posted = behind->store.post(
        [work = std::move(work), made](records::Transaction& txn) -> Result<void> {
            auto result = work(txn);
            CLINIC_TRY(result);
            *made = std::move(result).value();
            return {};
        },
        [this, id, about, made](const Result<void>& outcome) {
            if (!outcome) {
                base::log(Level::warning, "egress", outcome.error());
                *made = Answer{.connection = id, .reply = refused(outcome.error())};
            }
            made->about = about;
            answer(std::move(*made));
        });
    if (!posted) answer({.connection = id, .reply = envelope::Refused{"busy"}, .about = about});
}

void EgressServer::State::reply(std::uint64_t id, const envelope::Reply& reply) {
    const std::string bytes = envelope::encode(reply);
    Connection& connection = connections.at(id);
    connection.busy = false;
    if (send(connection.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return close(id);
    listen_to(id, true);
}

// Until the store has taken it, a disk that is full must not leave a lease with nobody who holds it.
void EgressServer::State::release(std::int64_t lease) {
    ++jobs;
    const auto end = [this, lease](bool released) {
        const std::lock_guard lock{mutex};
        if (!released) to_release.insert(lease);
        --jobs;
        jobs.notify_all();
    };
    const bool posted =
        behind->store.post([lease](records::Transaction& txn) { return outbox::Outbox::release_leases(txn, lease); },
                           [end](const Result<void>& outcome) {
                               if (!outcome) base::log(Level::warning, "egress", outcome.error());
                               end(outcome.has_value());
                           });
    if (!posted) end(false);
}

void EgressServer::State::release_again() {
    std::set<std::int64_t> left;
    {
        const std::lock_guard lock{mutex};
        left.swap(to_release);
    }
    for (const std::int64_t lease : left) release(lease);
}

// Work that nobody waits for an answer to.
void EgressServer::State::post_aside(records::Store::Job work) {
    ++jobs;
    const auto end = [this](const Result<void>& outcome) {
        if (!outcome) base::log(Level::warning, "egress", outcome.error());
        const std::lock_guard lock{mutex};
        --jobs;
        jobs.notify_all();
    };
    if (!behind->store.post(std::move(work), end)) end(Error{Errc::full, "the store's queue is full"});
}

// Its asker has gone: what became of it nobody knows. Where the store cannot say so now, the next start does.
void EgressServer::State::end_read(std::int64_t line) {
    post_aside([this, line](records::Transaction& txn) { return behind->gate.end_read(txn, line); });
}

void EgressServer::State::write_polls() {
    post_aside([this](records::Transaction& txn) { return behind->gate.write_polls(txn); });
}

// What was to be tried again at a time that the clock now only reaches in hours or years is tried now.
void EgressServer::State::notice_step() {
    const auto now = offset();
    const bool back = now < std::exchange(began, now) - step_back;
    if (!back || !behind) return;
    base::log(Level::warning, "egress", "the clock was set back");
    post_aside([](records::Transaction& txn) { return outbox::Outbox::due_now(txn); });
}

void EgressServer::State::close(std::uint64_t id) {
    const auto found = connections.find(id);
    if (found == connections.end()) return;
    for (const std::int64_t lease : found->second.leases)
        if (lease != found->second.asking) release(lease); // that one may be over: its answer tells
    for (const std::int64_t lease : found->second.leases) measures.given_back(lease);
    for (const std::int64_t line : found->second.reads) end_read(line);
    connections.erase(found);
}

void EgressServer::State::accept_one() {
    base::UniqueFd socket{accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (!socket) {
        // Nobody to be told, and the listener would wake us for ever.
        const bool none_free = errno == EMFILE || errno == ENFILE;
        if (none_free) std::this_thread::sleep_for(no_descriptors_pause); // no event tells that a descriptor is free
        return;
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    const uid_t allowed = options.peer.value_or(geteuid());
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.uid != allowed) {
        base::log(Level::warning, "egress", "a stranger was turned away from egress.sock", {{"uid", peer.uid}});
        return;
    }
    if (connections.size() >= options.connections_max) return;
    const auto id = next_connection++;
    if (!watch(socket.get(), id)) return;
    connections[id].socket = std::move(socket);
}

void EgressServer::State::read_one(std::uint64_t id) {
    const ssize_t got = recv(connections.at(id).socket.get(), frame.get(), envelope::frame_bytes_max + 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return close(id);
    const auto request = envelope::decode_request({frame.get(), static_cast<std::size_t>(got)});
    if (!request) {
        Error broken = request.error();
        broken.remedy = "docs/egress.md: run clinicd and clinic-syncd of one version";
        base::log(Level::warning, "egress", broken);
        return reply(id, refused(broken));
    }
    connections.at(id).busy = true;
    listen_to(id, false);
    std::visit([&](const auto& one) { handle(id, one); }, *request);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::LeaseRequest& request) {
    ask_lease(id,
              {request.destination, steady_clock::now() + std::chrono::milliseconds{request.wait_ms}, request.least});
}

void EgressServer::State::ask_lease(std::uint64_t id, Waiting waiting) {
    ask_store(id, [this, id, waiting](records::Transaction& txn) -> Result<Answer> {
        auto lease = behind->gate.lease(txn, waiting.destination, waiting.least);
        CLINIC_TRY(lease);
        const bool nothing = lease->lease == 0;
        return Answer{.connection = id,
                      .reply = std::move(lease).value(),
                      .wait_instead = nothing ? std::optional{waiting} : std::nullopt};
    });
}

void EgressServer::State::handle(std::uint64_t id, const envelope::Attempt& request) {
    if (request.lease != 0 && !connections.at(id).leases.contains(request.lease))
        return reply(id, envelope::Verdict{.answer = envelope::Answer::no, .code = "lease_unknown"});
    const auto judge = [this, id, request](records::Transaction& txn) -> Result<Answer> {
        const auto judged = behind->gate.judge(txn, request);
        CLINIC_TRY(judged);
        const auto answer = judged->verdict.answer;
        const std::int64_t read = request.lease == 0 ? judged->verdict.attempt : 0;
        return Answer{.connection = id,
                      .reply = judged->verdict,
                      .over = answer == envelope::Answer::hold || answer == envelope::Answer::no,
                      .blocked = judged->blocked,
                      .read = read};
    };
    ask_store(id, judge, request.lease);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::Settle& request) {
    began = std::max(began, offset()); // a retry is put off by the clock as it is now, also between two looks
    connections.at(id).settling_reads = request.lease == 0;
    // A lease that is not, or no longer, the asker's may be another's by now.
    const bool own = connections.at(id).leases.contains(request.lease);
    connections.at(id).settling = own;
    if (own || request.lease == 0) measures.settled(request);
    const auto settle = [this, id, own, request](records::Transaction& txn) -> Result<Answer> {
        const auto settled = own                  ? behind->gate.settle(txn, request)
                             : request.lease == 0 ? behind->gate.settle_reads(txn, request)
                                                  : outbox::Outbox::settle_steps(txn, request);
        CLINIC_TRY(settled);
        if (!request.next) return Answer{.connection = id, .reply = *settled, .over = true};
        auto next = lease_apart(txn, *request.next);
        CLINIC_TRY(next);
        return Answer{.connection = id, .reply = std::move(*next), .over = true};
    };
    ask_store(id, settle, own ? request.lease : 0);
}

// Where nothing can be leased, the settlement stands all the same.
Result<envelope::Lease> EgressServer::State::lease_apart(records::Transaction& txn, Destination destination) const {
    envelope::Lease next;
    const auto failed = txn.apart([&]() -> Result<void> {
        auto lease = behind->gate.lease(txn, destination);
        CLINIC_TRY(lease);
        next = std::move(*lease);
        return {};
    });
    CLINIC_TRY(failed);
    if (*failed) base::log(Level::warning, "egress", **failed);
    return next;
}

void EgressServer::State::handle(std::uint64_t id, const envelope::TimeState& request) {
    health.lanes(request);
    if (!behind) return reply(id, envelope::Settled{});
    const bool trusted = health.clock_trusted();
    behind->releaser.set_clock_trusted(trusted);
    clock_was_trusted = clock_was_trusted && trusted;
    const envelope::Settled heard{.watched = health.watched()};
    if (!trusted || clock_was_trusted) return reply(id, heard);
    ask_store(id, [id, heard](records::Transaction& txn) -> Result<Answer> {
        CLINIC_TRY(outbox::Outbox::unpark(txn, "clock"));
        return Answer{.connection = id, .reply = heard, .unparked = true};
    });
}

void EgressServer::State::handle(std::uint64_t id, const envelope::DeviceRequest&) {
    reply(id, health.device());
}

void EgressServer::State::handle(std::uint64_t id, const envelope::DeviceAck& request) {
    health.acknowledge_events(request.event);
    reply(id, envelope::Settled{});
}

// What is told of GHL: one transaction each, durable when it is answered.
template <class Request, class Reply>
void EgressServer::State::reconcile(std::uint64_t id, const Request& request,
                                    Result<Reply> (crm::Reconciler::*what)(records::Transaction&, const Request&)) {
    ask_store(id, [this, id, request, what](records::Transaction& txn) -> Result<Answer> {
        const auto answered = (behind->gate.reconciler().*what)(txn, request);
        CLINIC_TRY(answered);
        return Answer{.connection = id, .reply = *answered};
    });
}

void EgressServer::State::handle(std::uint64_t id, const envelope::CrmFact& request) {
    reconcile(id, request, &crm::Reconciler::take);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::MatchProbe& request) {
    reconcile(id, request, &crm::Reconciler::match);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::CrmPolled& request) {
    reconcile(id, request, &crm::Reconciler::polled);
}

void EgressServer::State::handle(std::uint64_t id, const envelope::CrmWalk& request) {
    reconcile(id, request, &crm::Reconciler::walk);
}

void EgressServer::State::take(Answer made) {
    const auto* lease = std::get_if<envelope::Lease>(&made.reply);
    if (made.blocked) health.raise("E1001", "critical");
    if (const auto* verdict = std::get_if<envelope::Verdict>(&made.reply)) measures.judged(*verdict);
    if (made.unparked) clock_was_trusted = true;
    const auto found = connections.find(made.connection);
    if (found == connections.end()) {
        if (lease != nullptr && lease->lease != 0) release(lease->lease);
        if (made.about != 0 && !made.over) release(made.about);
        if (made.read != 0) end_read(made.read);
        return;
    }
    found->second.asking = 0;
    if (made.over) found->second.leases.erase(made.about);
    // The store could not take the settlement: the envelope is due again, and looks up first.
    if (std::exchange(found->second.settling, false) && !made.over) {
        found->second.leases.erase(made.about);
        release(made.about);
    }
    if (made.read != 0) found->second.reads.insert(made.read);
    if (std::exchange(found->second.settling_reads, false) && !std::holds_alternative<envelope::Refused>(made.reply))
        found->second.reads.clear();
    if (lease != nullptr && lease->lease != 0) {
        found->second.leases.insert(lease->lease);
        measures.leased(*lease);
    }
    if (made.wait_instead && steady_clock::now() < made.wait_instead->until) {
        found->second.waiting = made.wait_instead;
        return;
    }
    reply(made.connection, made.reply);
}

void EgressServer::State::take_answers() {
    std::vector<Answer> ready;
    {
        const std::lock_guard lock{mutex};
        ready.swap(answers);
    }
    for (auto& one : ready) take(std::move(one));
}

void EgressServer::State::serve_waiting(bool something_due) {
    const auto now = steady_clock::now();
    for (auto& [id, connection] : connections) {
        if (!connection.waiting || !(something_due || now >= connection.waiting->until)) continue;
        ask_lease(id, *std::exchange(connection.waiting, std::nullopt));
    }
}

void EgressServer::State::run(const std::stop_token& stop) {
    std::array<epoll_event, 32> events{};
    auto next_look = steady_clock::now() + idle_look;
    auto polls_written = steady_clock::now();
    while (!stop.stop_requested()) {
        const int count =
            epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(idle_look.count()));
        options.pulse.beat();
        for (int i = 0; i < count; ++i) {
            const std::uint64_t mark = events[static_cast<std::size_t>(i)].data.u64;
            if (mark == listener_mark)
                accept_one();
            else if (mark == wake_mark) {
                std::uint64_t rung = 0;
                [[maybe_unused]] const auto got = read(event.get(), &rung, sizeof rung);
            } else if (connections.contains(mark)) {
                // A peer that closed while its request is with the store shows as hang-up.
                if (connections.at(mark).busy)
                    close(mark);
                else
                    read_one(mark);
            }
        }
        take_answers();
        const bool looked = steady_clock::now() >= next_look;
        if (looked) {
            next_look = steady_clock::now() + idle_look;
            release_again();
            notice_step();
        }
        if (behind && steady_clock::now() >= polls_written + polls_written_each) {
            polls_written = steady_clock::now();
            write_polls();
        }
        serve_waiting(due.exchange(false) || looked);
    }
    if (behind) write_polls();
}

EgressServer::EgressServer(base::UniqueFd listener, ServerOptions options, Gate& gate, records::Store& store,
                           release::Releaser& releaser, health::Health& health, const Clock& clock)
    : state_{std::make_unique<State>(std::move(listener), std::move(options), Behind{gate, store, releaser}, health,
                                     clock)} {}

EgressServer::EgressServer(base::UniqueFd listener, ServerOptions options, health::Health& health, const Clock& clock)
    : state_{std::make_unique<State>(std::move(listener), std::move(options), std::nullopt, health, clock)} {}

EgressServer::~EgressServer() {
    if (state_->thread.joinable()) {
        state_->thread.request_stop();
        state_->ring();
        state_->thread.join();
    }
    for (int left = state_->jobs; left != 0; left = state_->jobs) state_->jobs.wait(left);
    const std::lock_guard lock{state_->mutex};
}

Result<void> EgressServer::start() {
    if (state_->behind)
        CLINIC_TRY(state_->behind->store.write([this](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(outbox::Outbox::release_leases(txn, std::nullopt));
            return state_->behind->gate.begin(txn);
        }));
    state_->poll.reset(epoll_create1(EPOLL_CLOEXEC));
    state_->event.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!state_->poll || !state_->event) return Error{Errc::system, "egress.sock cannot be watched", "", {}, errno};
    CLINIC_TRY(state_->watch(state_->listener.get(), listener_mark));
    CLINIC_TRY(state_->watch(state_->event.get(), wake_mark));
    state_->thread = std::jthread{[this](const std::stop_token& stop) { state_->run(stop); }};
    return {};
}

std::vector<health::Measure> EgressServer::numbers() const {
    return state_->measures.numbers();
}

void EgressServer::wake() {
    state_->due = true;
    state_->ring();
}

} // namespace clinic::egress
