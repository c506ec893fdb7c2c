#include "tests/sync/support/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cassert>
#include <cstdio>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::support {
namespace {

using Key = std::unique_ptr<EVP_PKEY, base::FreedBy<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, base::FreedBy<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, base::FreedBy<X509_EXTENSION_free>>;
using File = std::unique_ptr<std::FILE, base::FreedBy<std::fclose>>;

constexpr long day_s = 24 * 3'600;

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
    assert(extension);
    X509_add_ext(certificate, extension.get(), -1);
}

Certificate blank(EVP_PKEY* key, const std::string& name, int days) {
    static long serial = 1;
    Certificate out{X509_new()};
    X509_set_version(out.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), -2 * day_s);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), days * day_s);
    X509_set_pubkey(out.get(), key);
    const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_ASC, text, -1, -1, 0);
    return out;
}

void write_certificate(const std::filesystem::path& path, X509* certificate) {
    const File file{std::fopen(path.c_str(), "w")};
    assert(file && PEM_write_X509(file.get(), certificate) == 1);
}

} // namespace

struct Authority::Keys {
    Key key;
    Certificate certificate;
};

Authority::Authority(const std::filesystem::path& folder, const std::string& name)
    : folder_{folder}, pem_{folder / (name + ".pem")}, keys_{new Keys{Key{EVP_EC_gen("P-256")}, nullptr}} {
    keys_->certificate = blank(keys_->key.get(), name, 1);
    auto* certificate = keys_->certificate.get();
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    extend(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate, certificate, NID_key_usage, "critical,keyCertSign");
    X509_sign(certificate, keys_->key.get(), EVP_sha256());
    write_certificate(pem_, certificate);
}

Authority::~Authority() {
    delete keys_;
}

Leaf Authority::issue(const std::string& common_name, const std::string& alternative, int days) const {
    const Key key{EVP_EC_gen("P-256")};
    const auto certificate = blank(key.get(), common_name, days);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(keys_->certificate.get()));
    if (!alternative.empty()) extend(certificate.get(), keys_->certificate.get(), NID_subject_alt_name, alternative);
    X509_sign(certificate.get(), keys_->key.get(), EVP_sha256());
    Leaf leaf{folder_ / (common_name + ".crt"), folder_ / (common_name + ".key")};
    write_certificate(leaf.cert, certificate.get());
    const File file{std::fopen(leaf.key.c_str(), "w")};
    assert(file && PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return leaf;
}

} // namespace clinic::support
