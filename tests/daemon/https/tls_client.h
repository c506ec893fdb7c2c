// A client that sends exactly the bytes it is given, over TLS 1.3, and a certificate of the test's own.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "crypto/base/owned.h"

namespace clinic::https {

struct Response {
    int status = 0;
    std::map<std::string, std::string> headers;
    std::string body;
};

// Writes certificate.pem and key.pem.
inline void make_certificate(const std::filesystem::path& folder) {
    const std::unique_ptr<EVP_PKEY, base::FreedBy<EVP_PKEY_free>> key{EVP_EC_gen("P-256")};
    const std::unique_ptr<X509, base::FreedBy<X509_free>> certificate{X509_new()};
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3'600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86'400);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const std::unique_ptr<FILE, base::FreedBy<std::fclose>> to{std::fopen((folder / "certificate.pem").c_str(), "w")};
    PEM_write_X509(to.get(), certificate.get());
    const std::unique_ptr<FILE, base::FreedBy<std::fclose>> secret{std::fopen((folder / "key.pem").c_str(), "w")};
    PEM_write_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

inline base::UniqueFd connect_to(int port, const char* from = "127.0.0.1") {
    base::UniqueFd fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    inet_pton(AF_INET, from, &address.sin_addr);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int at_once = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
}

class TlsClient {
public:
    using Context = std::unique_ptr<SSL_CTX, base::FreedBy<SSL_CTX_free>>;

    explicit TlsClient(int port, int version_max = TLS1_3_VERSION, const char* from = "127.0.0.1")
        : fd_{connect_to(port, from)}, context_{SSL_CTX_new(TLS_client_method())} {
        SSL_CTX_set_max_proto_version(context_.get(), version_max);
        tls_.reset(SSL_new(context_.get()));
        SSL_set_fd(tls_.get(), fd_.get());
        connected_ = SSL_connect(tls_.get()) == 1;
    }
    bool connected() const { return connected_; }
    int fd() const { return fd_.get(); }

    bool send(std::string_view bytes) {
        return SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
    }

    // Until `mark` was seen; false at the end of the stream or of the time.
    bool read_until(std::string_view mark, std::chrono::milliseconds within = std::chrono::seconds{20}) {
        const auto until = std::chrono::steady_clock::now() + within;
        while (buffer_.find(mark) == std::string::npos)
            if (!read_some(until)) return false;
        return true;
    }
    // What came up to and with `mark`.
    std::string take(std::string_view mark) {
        const auto end = buffer_.find(mark) + mark.size();
        std::string taken = buffer_.substr(0, end);
        buffer_.erase(0, end);
        return taken;
    }
    Response response(bool with_body = true) {
        Response answer;
        if (!read_until("\r\n\r\n")) return answer;
        const std::string head = take("\r\n\r\n");
        answer.status = std::stoi(head.substr(9, 3));
        for (auto at = head.find("\r\n"); at + 4 < head.size();) {
            const auto next = head.find("\r\n", at + 2), colon = head.find(": ", at);
            answer.headers[head.substr(at + 2, colon - at - 2)] = head.substr(colon + 2, next - colon - 2);
            at = next;
        }
        const auto length = answer.headers.find("Content-Length");
        if (!with_body || length == answer.headers.end()) return answer;
        const auto bytes = static_cast<std::size_t>(std::stoul(length->second));
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{20};
        while (buffer_.size() < bytes && read_some(until)) {
        }
        answer.body = buffer_.substr(0, bytes);
        buffer_.erase(0, bytes);
        return answer;
    }
    Response ask(const std::string& request) {
        EXPECT_TRUE(send(request));
        return response();
    }
    Response get(const std::string& path) { return ask("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"); }
    // The server ended the connection, and said nothing more.
    bool is_over(std::chrono::milliseconds within = std::chrono::seconds{20}) {
        const auto until = std::chrono::steady_clock::now() + within;
        const std::size_t before = buffer_.size();
        return ends(until) && buffer_.size() == before;
    }
    // The same, whatever was said before the end.
    bool ends(std::chrono::steady_clock::time_point until = std::chrono::steady_clock::now() +
                                                            std::chrono::seconds{20}) {
        while (read_some(until)) {
        }
        return std::chrono::steady_clock::now() < until;
    }

private:
    bool read_some(std::chrono::steady_clock::time_point until) {
        if (SSL_pending(tls_.get()) == 0) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
            pollfd wait{fd_.get(), POLLIN, 0};
            if (left <= 0 || poll(&wait, 1, static_cast<int>(left)) <= 0) return false;
        }
        char bytes[4'096];
        const int count = SSL_read(tls_.get(), bytes, sizeof bytes);
        if (count <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(count));
        return true;
    }

    base::UniqueFd fd_;
    Context context_;
    std::unique_ptr<SSL, base::FreedBy<SSL_free>> tls_;
    bool connected_ = false;
    std::string buffer_;
};

} // namespace clinic::https
