#include "daemon/egress/egress_server.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>

#include "crypto/base/log.h"
#include "daemon/egress/egress_state.h"

namespace clinic::egress {
namespace {

using base::Level;

constexpr auto idle_look = std::chrono::milliseconds{1'000}; // a retry falls due without a commit
constexpr std::chrono::minutes polls_written_each{30};
constexpr base::Micros step_back = std::chrono::seconds{2}; // of the clock, between two looks: no mere correction

constexpr const char* closed_code = "closed"; // there is no store to ask
constexpr auto no_descriptors_pause = std::chrono::milliseconds{100};

// A disk that is full or fails is no answer to what was asked: it is asked again.
envelope::Refused refused(const Error& error) {
    const bool passes = error.code == Errc::full || error.code == Errc::system;
    return {passes ? "busy" : error.code == Errc::malformed ? "malformed" : "refused"};
}

} // namespace

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
    for (const auto& [lease, to] : found->second.leases)
        if (lease != found->second.asking) release(lease); // that one may be over: its answer tells
    for (const auto& [lease, to] : found->second.leases) measures.given_back(lease);
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
    if (made.over) {
        found->second.leases.erase(made.about);
        measures.given_back(made.about);
    }
    // The store could not take the settlement: the envelope is due again, and looks up first.
    if (std::exchange(found->second.settling, false) && !made.over) {
        found->second.leases.erase(made.about);
        release(made.about);
    }
    if (made.read != 0) found->second.reads.insert(made.read);
    if (std::exchange(found->second.settling_reads, false) && !std::holds_alternative<envelope::Refused>(made.reply))
        found->second.reads.clear();
    if (lease != nullptr && lease->lease != 0) {
        found->second.leases.insert_or_assign(
            lease->lease, outbox::Addressed{.contact = lease->contact, .old_contact = lease->old_contact});
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
