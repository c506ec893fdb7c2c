#include "tests/emulator/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"

namespace clinic::emulator {
namespace {

using Key = std::unique_ptr<EVP_PKEY, base::FreedBy<EVP_PKEY_free>>;
using Cert = std::unique_ptr<X509, base::FreedBy<X509_free>>;
using Bio = std::unique_ptr<BIO, base::FreedBy<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, base::FreedBy<X509_EXTENSION_free>>;

const Error failed{Errc::system, "test certificate: OpenSSL refused"};

bool add_extension(X509* cert, X509* issuer, int nid, const char* value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value)};
    return extension && X509_add_ext(cert, extension.get(), -1) == 1;
}

Cert unsigned_cert(EVP_PKEY* key, const char* common_name, long serial) {
    Cert cert{X509_new()};
    if (!cert) return {};
    X509_set_version(cert.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), 86'400);
    X509_set_pubkey(cert.get(), key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    return cert;
}

Cert authority_cert(EVP_PKEY* key) {
    Cert cert = unsigned_cert(key, "Clinic Edge test authority", 1);
    if (!cert) return {};
    X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
    const bool good = add_extension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE") &&
                      add_extension(cert.get(), cert.get(), NID_key_usage, "critical,keyCertSign") &&
                      add_extension(cert.get(), cert.get(), NID_subject_key_identifier, "hash") &&
                      X509_sign(cert.get(), key, EVP_sha256()) != 0;
    return good ? std::move(cert) : Cert{};
}

Cert server_cert(EVP_PKEY* key, X509* authority, EVP_PKEY* authority_key) {
    Cert cert = unsigned_cert(key, "localhost", 2);
    if (!cert) return {};
    X509_set_issuer_name(cert.get(), X509_get_subject_name(authority));
    const bool good = add_extension(cert.get(), authority, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1") &&
                      add_extension(cert.get(), authority, NID_ext_key_usage, "serverAuth") &&
                      add_extension(cert.get(), authority, NID_authority_key_identifier, "keyid") &&
                      X509_sign(cert.get(), authority_key, EVP_sha256()) != 0;
    return good ? std::move(cert) : Cert{};
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(length)};
}

Result<void> write_cert(const std::filesystem::path& file, X509* cert) {
    const Bio bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_X509(bio.get(), cert) != 1) return failed;
    return base::write_durable(file, base::as_bytes(text_of(bio.get())), 0644);
}

Result<void> write_key(const std::filesystem::path& file, EVP_PKEY* key) {
    const Bio bio{BIO_new(BIO_s_mem())};
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return failed;
    return base::write_durable(file, base::as_bytes(text_of(bio.get())), 0600);
}

} // namespace

Result<Certificate> make_certificate(const std::filesystem::path& folder) {
    const Key authority_key{EVP_EC_gen("P-256")};
    const Key key{EVP_EC_gen("P-256")};
    if (!authority_key || !key) return failed;
    const Cert authority = authority_cert(authority_key.get());
    if (!authority) return failed;
    const Cert cert = server_cert(key.get(), authority.get(), authority_key.get());
    if (!cert) return failed;
    const Certificate out{folder / "ca.pem", folder / "server.pem", folder / "server-key.pem"};
    CLINIC_TRY(write_cert(out.authority, authority.get()));
    CLINIC_TRY(write_cert(out.certificate, cert.get()));
    CLINIC_TRY(write_key(out.key, key.get()));
    return out;
}

} // namespace clinic::emulator
