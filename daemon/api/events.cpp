#include "daemon/api/events.h"

#include <Poco/Exception.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "crypto/base/log.h"
#include "crypto/base/owned.h"
#include "crypto/listener/tls_listener.h"

namespace clinic::api {
namespace {

using namespace std::chrono_literals;
using listener::Connections;
using Time = Connections::Time;
using Poco::Net::StreamSocket;

constexpr auto push_gap = 100ms;   // two changes closer than this are one event
constexpr auto status_gap = 200ms; // the status is not computed more often
constexpr auto tick_gap = 500ms;   // what time alone changes is looked for this often
constexpr auto heartbeat_gap = 15s;
constexpr auto stalled_max = 30s;
constexpr const char* comes_again = "retry: 2000\n\n"; // ms after it lost us
constexpr int socket_send_bytes = 32'768;              // the kernel's part of a stalled viewer

struct Viewer {
    StreamSocket socket;
    std::string sending, next;
    std::size_t sent = 0;
    Time progress;
    bool waits_for_room = false;
};

// What is worth an event although nobody called `changed`: time made something visible, or it went by itself.
std::string signature(const health::Status& status) {
    std::string text = status.ghl.key + " " + health::name(status.mode);
    for (const auto& need : status.needs) ((text += ' ') += need.code) += std::to_string(need.number);
    return text += status.clock_trusted ? " trusted" : "";
}

} // namespace

struct Events::State {
    State(health::Health& watched, Connections& all, std::size_t most, base::Pulse mine)
        : health{watched}, connections{all}, viewers_max{most}, pulse{std::move(mine)} {}

    health::Health& health;
    Connections& connections;
    const std::size_t viewers_max;
    const base::Pulse pulse;
    base::UniqueFd epoll, bell;
    std::atomic<bool> stopping{false};
    std::atomic<bool> rung{false};     // by `wake`, not yet pushed
    std::atomic<std::size_t> count{0}; // of viewers and of those on their way in
    std::atomic<std::int64_t> dropped{0};
    std::mutex arrivals_mutex;
    std::vector<Viewer> arrivals;

    std::map<int, Viewer> viewers; // the thread's own from here on
    std::uint64_t event_number = 0;
    Time pushed_at{}, computed_at{}, ticked_at{};
    std::string signature_pushed;
    std::thread thread;

    void run();
    int wait_ms(Time now) const;
    void ring() const;
    void take_arrivals(Time now);
    void serve(int fd, std::uint32_t happened, Time now);
    bool stays_silent(Viewer& viewer);
    bool flush(Viewer& viewer, Time now);
    void watch(int fd, Viewer& viewer, bool waits_for_room);
    void drop(int fd);
    void push(Time now);
    void tick(Time now);
    std::string event(const health::Status& status);
    bool give(Viewer& viewer, const std::string& text, Time now);
};

void Events::State::ring() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto wrote = ::write(bell.get(), &one, sizeof one); // full means it rings already
}

// Until the next push is allowed, or the next tick.
int Events::State::wait_ms(Time now) const {
    Time until = ticked_at + tick_gap;
    if (rung) until = std::min(until, std::max(pushed_at + push_gap, computed_at + status_gap));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void Events::State::run() {
    std::array<epoll_event, 64> happened{};
    while (!stopping) {
        const int count_ready = epoll_wait(epoll.get(), happened.data(), static_cast<int>(happened.size()),
                                           wait_ms(std::chrono::steady_clock::now()));
        pulse.beat();
        const Time now = std::chrono::steady_clock::now();
        for (int i = 0; i < count_ready; ++i) {
            const auto& one = happened[static_cast<std::size_t>(i)];
            if (one.data.fd != bell.get())
                serve(one.data.fd, one.events, now);
            else if (std::uint64_t rings = 0; ::read(bell.get(), &rings, sizeof rings) < 0)
                continue;
        }
        take_arrivals(now);
        if (rung && now - pushed_at >= push_gap && now - computed_at >= status_gap) push(now);
        if (now - ticked_at >= tick_gap) tick(now);
    }
    viewers.clear();
}

void Events::State::watch(int fd, Viewer& viewer, bool waits_for_room) {
    viewer.waits_for_room = waits_for_room;
    epoll_event wanted{};
    wanted.events = static_cast<std::uint32_t>(EPOLLIN) | (waits_for_room ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    wanted.data.fd = fd;
    epoll_ctl(epoll.get(), EPOLL_CTL_MOD, fd, &wanted);
}

void Events::State::drop(int fd) {
    epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
    viewers.erase(fd);
    --count;
}

// False: the connection is over.
bool Events::State::flush(Viewer& viewer, Time now) {
    for (;;) {
        if (viewer.sent == viewer.sending.size()) {
            viewer.sending = std::exchange(viewer.next, {});
            viewer.sent = 0;
            if (viewer.sending.empty()) break;
        }
        const int left = static_cast<int>(viewer.sending.size() - viewer.sent);
        const int wrote = viewer.socket.sendBytes(viewer.sending.data() + viewer.sent, left);
        if (wrote == 0) return false;
        if (wrote < 0) break; // would block
        viewer.sent += static_cast<std::size_t>(wrote);
        viewer.progress = now;
    }
    const bool waits = !viewer.sending.empty();
    if (waits != viewer.waits_for_room) watch(viewer.socket.impl()->sockfd(), viewer, waits);
    return true;
}

// TLS may hold bytes that epoll does not show, so it is read until it would block. A viewer has nothing to say.
bool Events::State::stays_silent(Viewer& viewer) {
    char byte = 0;
    return viewer.socket.receiveBytes(&byte, 1) < 0;
}

void Events::State::serve(int fd, std::uint32_t happened, Time now) {
    const auto found = viewers.find(fd);
    if (found == viewers.end()) return;
    bool stays = (happened & static_cast<std::uint32_t>(EPOLLERR | EPOLLHUP)) == 0;
    try {
        if (stays && (happened & static_cast<std::uint32_t>(EPOLLIN)) != 0) stays = stays_silent(found->second);
        if (stays) stays = flush(found->second, now);
    } catch (const Poco::Exception&) {
        stays = false;
    }
    if (!stays) drop(fd);
}

// A newer status replaces one that was not begun: what waits never grows.
bool Events::State::give(Viewer& viewer, const std::string& text, Time now) {
    if (viewer.sending.size() + text.size() > viewer_bytes_max) return false;
    viewer.next = text;
    try {
        return flush(viewer, now);
    } catch (const Poco::Exception&) {
        return false;
    }
}

void Events::State::take_arrivals(Time now) {
    std::vector<Viewer> fresh;
    {
        const std::lock_guard lock{arrivals_mutex};
        fresh.swap(arrivals);
    }
    if (fresh.empty()) return;
    const std::string first = event(health.status());
    for (Viewer& viewer : fresh) {
        const int fd = viewer.socket.impl()->sockfd();
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        wanted.data.fd = fd;
        if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &wanted) != 0) {
            --count;
            continue;
        }
        viewer.progress = now;
        Viewer& kept = viewers.insert_or_assign(fd, std::move(viewer)).first->second;
        if (!give(kept, first, now)) drop(fd);
    }
}

std::string Events::State::event(const health::Status& status) {
    return "id: " + std::to_string(++event_number) + "\nevent: status\ndata: " + health::to_json(status) + "\n\n";
}

void Events::State::push(Time now) {
    rung = false;
    pushed_at = computed_at = now;
    const auto status = health.status();
    if (status.change < health.change()) rung = true; // an older look was still good: look again when it is not
    signature_pushed = signature(status);
    const std::string text = event(status);
    std::vector<int> over;
    for (auto& [fd, viewer] : viewers)
        if (!give(viewer, text, now)) over.push_back(fd);
    for (const int fd : over) drop(fd);
}

void Events::State::tick(Time now) {
    ticked_at = now;
    connections.end_overdue(now);
    std::vector<int> stalled;
    for (auto& [fd, viewer] : viewers)
        if (viewer.waits_for_room && now - viewer.progress > stalled_max) stalled.push_back(fd);
    for (const int fd : stalled) {
        drop(fd);
        ++dropped;
    }
    // Without a viewer too: how long something lasts is counted from the first look.
    const auto status = health.status();
    if (viewers.empty()) return;
    health.looked_at();
    if (now - pushed_at >= heartbeat_gap || signature(status) != signature_pushed) push(now);
}

Events::Events(health::Health& health, Connections& connections, std::size_t viewers_max, base::Pulse pulse)
    : state_{std::make_unique<State>(health, connections, viewers_max, std::move(pulse))} {}

Events::~Events() {
    stop();
}

Result<void> Events::start() {
    state_->epoll.reset(epoll_create1(EPOLL_CLOEXEC));
    state_->bell.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!state_->epoll || !state_->bell) return Error{Errc::system, "no descriptor for live events", "", {}, errno};
    epoll_event wanted{};
    wanted.events = EPOLLIN;
    wanted.data.fd = state_->bell.get();
    if (epoll_ctl(state_->epoll.get(), EPOLL_CTL_ADD, state_->bell.get(), &wanted) != 0)
        return Error{Errc::system, "the bell of live events cannot be watched", "", {}, errno};
    state_->thread = std::thread{[state = state_.get()] { state->run(); }};
    return {};
}

void Events::stop() {
    if (!state_->thread.joinable()) return;
    {
        const std::lock_guard lock{state_->arrivals_mutex};
        state_->stopping = true;
    }
    state_->ring();
    state_->thread.join();
    const std::lock_guard lock{state_->arrivals_mutex};
    state_->arrivals.clear();
}

bool Events::has_room() const {
    return state_->count < state_->viewers_max;
}

bool Events::add(const StreamSocket& socket, std::string head) {
    if (++state_->count > state_->viewers_max) {
        --state_->count;
        return false;
    }
    Viewer viewer{.socket = socket, .sending = std::move(head) + comes_again};
    viewer.socket.setSendBufferSize(socket_send_bytes);
    viewer.socket.setBlocking(false);
    listener::stream_of(socket).ticket()->becomes_viewer();
    {
        const std::lock_guard lock{state_->arrivals_mutex};
        if (state_->stopping) return --state_->count, false; // nobody would take it, or free it in time
        state_->arrivals.push_back(std::move(viewer));
    }
    state_->ring();
    return true;
}

void Events::wake() {
    state_->rung = true;
    if (state_->bell) state_->ring();
}

std::int64_t Events::viewers() const {
    return static_cast<std::int64_t>(state_->count.load());
}
std::int64_t Events::dropped() const {
    return state_->dropped;
}

} // namespace clinic::api
