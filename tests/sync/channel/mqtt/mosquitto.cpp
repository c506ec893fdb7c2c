#include "tests/sync/channel/mqtt/mosquitto.h"

#include <arpa/inet.h>
#include <mqtt/async_client.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cassert>
#include <fstream>
#include <mutex>

#include "crypto/base/owned.h"
#include "tests/sync/support/scripted_egress.h"

namespace clinic::mqtt {
namespace {

constexpr const char* program = "/usr/sbin/mosquitto";

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return out;
}

bool listening(std::uint16_t port) {
    const base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const auto address = loopback(port);
    return connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

} // namespace

std::uint16_t free_port() {
    const base::UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto address = loopback(0);
    socklen_t size = sizeof address;
    [[maybe_unused]] const int bound = bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size);
    assert(bound == 0);
    getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
}

bool Mosquitto::installed() {
    return access(program, X_OK) == 0;
}

Mosquitto::Mosquitto(const std::filesystem::path& folder, const support::Authority& authority, int days)
    : configuration_{folder / "mosquitto.conf"}, port_{free_port()} {
    const auto leaf = authority.issue("broker", "IP:127.0.0.1", days);
    const auto rights = folder / "rights.acl";
    std::ofstream{rights}
        << "user ops\ntopic readwrite clinic/#\npattern write clinic/%u/up/#\npattern write clinic/%u/state\n"
           "pattern read clinic/%u/down/#\nuser relay\ntopic write clinic/+/down/#\ntopic write ops/+/state\n";
    std::filesystem::permissions(rights, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::ofstream{configuration_} << "listener " << port_ << " 127.0.0.1\ncafile " << authority.pem().string()
                                  << "\ncertfile " << leaf.cert.string() << "\nkeyfile " << leaf.key.string()
                                  << "\nrequire_certificate true\nuse_identity_as_username true\nacl_file "
                                  << rights.string()
                                  << "\nset_tcp_nodelay true\nmax_queued_messages 100000\nlog_dest none\n"
                                  << (geteuid() == 0 ? "user root\n" : "");
    start();
}

void Mosquitto::start() {
    std::string name = program, option = "-c", file = configuration_.string();
    char* arguments[] = {name.data(), option.data(), file.data(), nullptr};
    [[maybe_unused]] const int spawned = posix_spawn(&pid_, program, nullptr, nullptr, arguments, environ);
    assert(spawned == 0);
    [[maybe_unused]] const bool up = support::eventually([this] { return listening(port_); });
    assert(up);
}

void Mosquitto::stop() {
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

Mosquitto::~Mosquitto() {
    stop();
}

struct Ops::State {
    explicit State(const std::string& uri) : client{uri, "ops-1", ::mqtt::create_options{MQTTVERSION_5}, nullptr} {}
    mutable std::mutex mutex;
    std::vector<Heard> heard;
    ::mqtt::connect_options options;
    ::mqtt::async_client client;
};

Ops::Ops(const Mosquitto& broker, const support::Authority& authority)
    : state_{std::make_unique<State>("ssl://127.0.0.1:" + std::to_string(broker.port()))} {
    const auto leaf = authority.issue("ops", "");
    ::mqtt::ssl_options tls;
    tls.set_trust_store(authority.pem().string());
    tls.set_key_store(leaf.cert.string());
    tls.set_private_key(leaf.key.string());
    tls.set_verify(true);
    state_->options.set_mqtt_version(MQTTVERSION_5);
    state_->options.set_clean_start(true);
    state_->options.set_ssl(std::move(tls));
    state_->client.set_message_callback([state = state_.get()](const ::mqtt::const_message_ptr& message) {
        const std::lock_guard lock{state->mutex};
        state->heard.push_back({message->get_topic(), message->to_string(), message->is_retained()});
    });
    state_->client.connect(state_->options)->wait();
    state_->client.subscribe("clinic/#", 1)->wait();
}

Ops::~Ops() {
    try {
        state_->client.disconnect()->wait();
    } catch (const ::mqtt::exception&) {
        return; // the broker went first
    }
}

std::vector<Heard> Ops::heard(const std::string& topic) const {
    const std::lock_guard lock{state_->mutex};
    std::vector<Heard> out;
    for (const auto& one : state_->heard)
        if (one.topic == topic) out.push_back(one);
    return out;
}

} // namespace clinic::mqtt
