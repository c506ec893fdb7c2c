#include "daemon/intake/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <cassert>

#include "crypto/base/owned.h"

namespace clinic::intake {
namespace {

using Certificate = std::unique_ptr<X509, base::FreedBy<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, base::FreedBy<GENERAL_NAMES_free>>;

constexpr std::size_t name_bytes_max = 255, read_bytes = 16'384;
constexpr int chain_depth_max = 4;
constexpr const char* ciphers_1_2 = "ECDHE+AESGCM:ECDHE+CHACHA20";

// A name with a NUL inside is a trick; one that is too long is nobody's.
void add_name(const ASN1_STRING* text, std::vector<std::string>& names) {
    if (text == nullptr || names.size() >= names_max) return;
    const auto size = static_cast<std::size_t>(ASN1_STRING_length(text));
    if (size == 0 || size > name_bytes_max) return;
    std::string name{reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), size};
    if (name.find('\0') == std::string::npos) names.push_back(std::move(name));
}

bool set_up(SSL_CTX* context, const TlsFiles& files) {
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1 ||
        SSL_CTX_load_verify_locations(context, files.client_ca.c_str(), nullptr) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers_1_2) != 1)
        return false;
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files.client_ca.c_str()));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_verify_depth(context, chain_depth_max);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return true;
}

} // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::read(const TlsFiles& files) {
    SSL_CTX* const made = SSL_CTX_new(TLS_server_method());
    if (made == nullptr) return Error{Errc::system, "TLS cannot be set up"};
    std::shared_ptr<const TlsContext> context{new TlsContext{made}};
    const bool good = set_up(made, files);
    ERR_clear_error();
    if (good) return context;
    return Error{Errc::malformed, "the certificate, key or client CA of MLLP over TLS cannot be used",
                 "give PEM files: the certificate with its chain, its key, and the CA of the senders"};
}

TlsContext::~TlsContext() {
    SSL_CTX_free(context_);
}

TlsSession::TlsSession(const TlsContext& context)
    : session_{SSL_new(context.context_)}, from_client_{BIO_new(BIO_s_mem())}, to_client_{BIO_new(BIO_s_mem())} {
    assert(session_ != nullptr && from_client_ != nullptr && to_client_ != nullptr);
    BIO_set_mem_eof_return(from_client_, -1); // empty is "not yet", not "the end"
    SSL_set_bio(session_, from_client_, to_client_);
    SSL_set_accept_state(session_);
}

TlsSession::~TlsSession() {
    SSL_free(session_);
}

void TlsSession::take(std::string_view bytes, std::string& plain, std::string& wire) {
    if (state_ == State::failed || state_ == State::closed) return;
    ERR_clear_error();
    const int written = BIO_write(from_client_, bytes.data(), static_cast<int>(bytes.size()));
    assert(written == static_cast<int>(bytes.size())); // memory grows, or the process stops
    if (state_ == State::greeting) {
        const int done = SSL_do_handshake(session_);
        if (done == 1)
            state_ = State::open;
        else if (SSL_get_error(session_, done) != SSL_ERROR_WANT_READ)
            state_ = State::failed;
    }
    if (state_ == State::open) read_all(plain);
    drain(wire);
    ERR_clear_error(); // its texts may quote a certificate; nobody reads them
}

void TlsSession::read_all(std::string& plain) {
    std::array<char, read_bytes> part{};
    for (;;) {
        const int count = SSL_read(session_, part.data(), static_cast<int>(part.size()));
        if (count > 0) {
            plain.append(part.data(), static_cast<std::size_t>(count));
            continue;
        }
        const int why = SSL_get_error(session_, count);
        if (why == SSL_ERROR_ZERO_RETURN) state_ = State::closed;
        if (why != SSL_ERROR_ZERO_RETURN && why != SSL_ERROR_WANT_READ) state_ = State::failed;
        return;
    }
}

void TlsSession::say(std::string_view plain, std::string& wire) {
    if (plain.empty() || (state_ != State::open && state_ != State::closed)) return;
    ERR_clear_error();
    if (SSL_write(session_, plain.data(), static_cast<int>(plain.size())) <= 0) state_ = State::failed;
    drain(wire);
}

void TlsSession::end(std::string& wire) {
    if (state_ != State::open && state_ != State::closed) return;
    ERR_clear_error();
    SSL_shutdown(session_);
    drain(wire);
    ERR_clear_error();
}

void TlsSession::drain(std::string& wire) {
    char* bytes = nullptr;
    const long count = BIO_get_mem_data(to_client_, &bytes);
    if (count > 0) wire.append(bytes, static_cast<std::size_t>(count));
    [[maybe_unused]] const auto reset = BIO_reset(to_client_);
}

std::vector<std::string> TlsSession::names() const {
    std::vector<std::string> names;
    const Certificate certificate{SSL_get1_peer_certificate(session_)};
    if (!certificate) return names;
    const X509_NAME* subject = X509_get_subject_name(certificate.get());
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) add_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), names);
    const Names others{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr))};
    for (int other = 0; others && other < sk_GENERAL_NAME_num(others.get()); ++other) {
        const GENERAL_NAME* one = sk_GENERAL_NAME_value(others.get(), other);
        if (one->type == GEN_DNS) add_name(one->d.dNSName, names);
    }
    return names;
}

} // namespace clinic::intake
