#include "daemon/control/wire/wire.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "crypto/base/owned.h"

namespace clinic::control {
namespace {

constexpr std::size_t body_part_bytes = 65'536;

Result<void> send_all(int socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0)
            return Error{
                errno == EAGAIN ? Errc::timeout : Errc::offline, "the other side does not listen", "", {}, errno};
        bytes.remove_prefix(static_cast<std::size_t>(put));
    }
    return {};
}

Result<void> receive_all(int socket, char* into, std::size_t size) {
    while (size > 0) {
        const ssize_t got = recv(socket, into, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return Error{
                errno == EAGAIN ? Errc::timeout : Errc::offline, "the other side does not answer", "", {}, errno};
        if (got == 0) return Error{Errc::offline, "the other side hung up"};
        into += got;
        size -= static_cast<std::size_t>(got);
    }
    return {};
}

Result<base::UniqueFd> dial(const std::filesystem::path& path) {
    base::UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path)
        return Error{Errc::malformed, "the path of the socket is too long"};
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket;
    if (errno == EACCES)
        return Error{
            Errc::unauthorized, "you may not speak to it", "run clinicctl as root or as an operator", {}, errno};
    return Error{Errc::not_found, "nobody listens there", "", {}, errno};
}

} // namespace

void set_patience(int socket, int seconds) {
    const timeval patience{seconds, 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

namespace {

Result<void> send_size(int socket, std::size_t bytes) {
    const auto size = static_cast<std::uint32_t>(bytes);
    const std::array<char, 4> head{static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                                   static_cast<char>(size >> 8), static_cast<char>(size)};
    return send_all(socket, {head.data(), head.size()});
}

Result<std::size_t> receive_size(int socket, std::size_t bytes_max) {
    std::array<char, 4> head{};
    CLINIC_TRY(receive_all(socket, head.data(), head.size()));
    std::size_t size = 0;
    for (const char byte : head) size = size << 8 | static_cast<unsigned char>(byte);
    if (size > bytes_max) return Error{Errc::full, "a part is longer than its bound"};
    return size;
}

} // namespace

Result<void> send_part(int socket, std::string_view bytes) {
    CLINIC_TRY(send_size(socket, bytes.size()));
    return send_all(socket, bytes);
}

Result<std::string> receive_part(int socket, std::size_t bytes_max) {
    const auto size = receive_size(socket, bytes_max);
    CLINIC_TRY(size);
    std::string part(*size, '\0');
    CLINIC_TRY(receive_all(socket, part.data(), *size));
    return part;
}

Result<void> send_secret(int socket, const crypto::SecureBytes& secret) {
    CLINIC_TRY(send_size(socket, secret.size()));
    return send_all(socket, {reinterpret_cast<const char*>(secret.bytes().data()), secret.size()});
}

Result<crypto::SecureBytes> receive_secret(int socket) {
    const auto size = receive_size(socket, secret_bytes_max);
    CLINIC_TRY(size);
    auto secret = crypto::SecureBytes::zeroed(*size);
    CLINIC_TRY(receive_all(socket, reinterpret_cast<char*>(secret.bytes().data()), *size));
    return secret;
}

Result<void> send_body(int socket, std::string_view body) {
    for (std::size_t from = 0; from < body.size(); from += body_part_bytes)
        CLINIC_TRY(send_part(socket, body.substr(from, body_part_bytes)));
    return send_part(socket, {});
}

Result<std::string> receive_body(int socket, std::size_t bytes_max) {
    std::string body;
    for (;;) {
        const auto part = receive_part(socket, body_part_bytes);
        CLINIC_TRY(part);
        if (part->empty()) return body;
        if (body.size() + part->size() > bytes_max)
            return Error{Errc::full, "the file is longer than 64 MiB", "split it"};
        body += *part;
    }
}

Result<std::string> ask(const std::filesystem::path& path, std::string_view question,
                        const std::optional<std::string>& body, int silence_seconds) {
    const auto socket = dial(path);
    CLINIC_TRY(socket);
    set_patience(socket->get(), silence_seconds);
    // A part that cannot be sent is no reason to stop: the other side may have answered already.
    static_cast<void>(send_part(socket->get(), question));
    if (body) static_cast<void>(send_body(socket->get(), *body));
    return receive_part(socket->get(), answer_bytes_max);
}

Result<SecretAnswer> ask_secretly(const std::filesystem::path& path, std::string_view question,
                                  const crypto::SecureBytes& secret, int silence_seconds) {
    const auto socket = dial(path);
    CLINIC_TRY(socket);
    set_patience(socket->get(), silence_seconds);
    static_cast<void>(send_part(socket->get(), question));
    static_cast<void>(send_secret(socket->get(), secret));
    auto text = receive_part(socket->get(), answer_bytes_max);
    CLINIC_TRY(text);
    auto told = receive_secret(socket->get()); // the other side hangs up where there is none
    return SecretAnswer{std::move(*text), told ? std::move(*told) : crypto::SecureBytes{}};
}

} // namespace clinic::control
