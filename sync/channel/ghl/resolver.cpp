#include "sync/channel/ghl/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <system_error>
#include <thread>

#include "crypto/base/owned.h"

namespace clinic::ghl {
namespace {

constexpr std::size_t addresses_max = 8;
constexpr std::chrono::seconds memory{60};

using Found = std::unique_ptr<addrinfo, base::FreedBy<freeaddrinfo>>;

std::string numeric(const addrinfo& one) {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    if (getnameinfo(one.ai_addr, one.ai_addrlen, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return {};
    const std::string address{host.data()};
    return (one.ai_family == AF_INET6 ? "[" + address + "]" : address) + ":" + port.data();
}

struct Answer {
    int failed = 0; // EAI_…
    std::vector<std::string> addresses;
};

Answer look_up(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list);
    if (failed != 0) return {failed, {}};
    const Found found{list};
    Answer out;
    for (const auto* one = list; one != nullptr && out.addresses.size() < addresses_max; one = one->ai_next)
        if (auto text = numeric(*one); !text.empty()) out.addresses.push_back(std::move(text));
    return out;
}

} // namespace

struct Resolver::Lookup {
    std::mutex mutex;
    std::condition_variable_any done;
    bool finished = false;
    Answer answer;
};

Resolver::Resolver(std::string host, std::uint16_t port) : host_{std::move(host)}, port_{port} {}

Result<std::vector<std::string>> Resolver::resolve(std::chrono::milliseconds wait, std::stop_token stop) {
    std::shared_ptr<Lookup> lookup;
    {
        const std::lock_guard lock{mutex_};
        if (!known_.empty() && std::chrono::steady_clock::now() - known_at_ < memory) return known_;
        if (!running_) {
            running_ = std::make_shared<Lookup>();
            try {
                std::thread{[lookup = running_, host = host_, port = port_] {
                    auto answer = look_up(host, port);
                    {
                        const std::lock_guard done_lock{lookup->mutex};
                        lookup->answer = std::move(answer);
                        lookup->finished = true;
                    }
                    lookup->done.notify_all();
                }}.detach();
            } catch (const std::system_error& failed) {
                running_.reset();
                return Error{Errc::system, "no thread for a look-up", "", {}, failed.code().value()};
            }
        }
        lookup = running_;
    }
    Answer answer;
    {
        std::unique_lock lock{lookup->mutex};
        if (!lookup->done.wait_for(lock, stop, wait, [&] { return lookup->finished; }))
            return Error{Errc::timeout, "the name of the far side does not resolve in time"};
        answer = lookup->answer;
    }
    const std::lock_guard lock{mutex_};
    if (running_ == lookup) running_.reset();
    if (answer.addresses.empty())
        return Error{Errc::offline, "the name of the far side does not resolve", "", {}, answer.failed};
    known_ = answer.addresses;
    known_at_ = std::chrono::steady_clock::now();
    return known_;
}

} // namespace clinic::ghl
