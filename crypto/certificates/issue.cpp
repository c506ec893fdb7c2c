// The box's own authority, and what it signs.
#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "crypto/base/clock.h"
#include "crypto/certificates/openssl.h"

namespace clinic::certificates {
namespace {

constexpr long version_3 = 2; // as X.509 counts
constexpr std::size_t serial_bytes = 16, digest_bytes_shown = 4;

constexpr Error unsigned_yet{Errc::system, "OpenSSL makes no certificate"};

std::time_t as_time(Seconds when) {
    return when.time_since_epoch().count();
}

bool has_random_serial(X509* certificate) {
    std::array<unsigned char, serial_bytes> bytes{};
    if (RAND_bytes(bytes.data(), serial_bytes) != 1) return false;
    bytes.front() = static_cast<unsigned char>((bytes.front() & 0x7fU) | 0x40U); // positive, and never shorter
    const std::unique_ptr<BIGNUM, base::FreedBy<BN_free>> number{BN_bin2bn(bytes.data(), serial_bytes, nullptr)};
    return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool add_name(X509* certificate, const std::string& common_name) {
    return X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0) == 1;
}

std::string beginning_of_digest(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    return X509_pubkey_digest(certificate, EVP_sha256(), digest.data(), &size) == 1
               ? hexadecimal({digest.data(), digest_bytes_shown}, "")
               : "";
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const Extension extension{X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str())};
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Certificate begin(const Key& key, const std::string& common_name, Seconds from, Seconds until) {
    Certificate made{X509_new()};
    if (!made || X509_set_version(made.get(), version_3) != 1 || !has_random_serial(made.get()) ||
        ASN1_TIME_set(X509_getm_notBefore(made.get()), as_time(from)) == nullptr ||
        ASN1_TIME_set(X509_getm_notAfter(made.get()), as_time(until)) == nullptr ||
        X509_set_pubkey(made.get(), key.get()) != 1 || (!common_name.empty() && !add_name(made.get(), common_name)))
        return nullptr;
    return made;
}

Result<std::string> sign(X509* certificate, const Key& key) {
    const Bio to{BIO_new(BIO_s_mem())};
    if (!to || X509_sign(certificate, key.get(), EVP_sha256()) <= 0 || PEM_write_bio_X509(to.get(), certificate) != 1)
        return unsigned_yet;
    return text_of(to.get());
}

// This machine, and networks that nobody reaches from elsewhere (RFC 1918, 3927, 4193, 4291).
constexpr const char* private_addresses = "permitted;IP:127.0.0.0/255.0.0.0,permitted;IP:10.0.0.0/255.0.0.0,"
                                          "permitted;IP:172.16.0.0/255.240.0.0,permitted;IP:192.168.0.0/255.255.0.0,"
                                          "permitted;IP:169.254.0.0/255.255.0.0,"
                                          "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,"
                                          "permitted;IP:fc00::/fe00::,permitted;IP:fe80::/ffc0::";

} // namespace

Result<std::string> make_authority(const Key& key, const std::vector<std::string>& dns, Seconds now) {
    constexpr Seconds release{
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::microseconds{base::this_release.micros})};
    const auto made = begin(key, "", std::min(now - clocks_differ, release), std::max(now, release) + authority_lasts);
    if (!made) return unsigned_yet;
    X509* own = made.get();
    if (!add_name(own, "Clinic Edge " + beginning_of_digest(own))) return unsigned_yet;
    std::string permitted = std::string{"critical,"} + private_addresses;
    for (const auto& name : dns) permitted += ",permitted;DNS:" + name;
    // Nothing but the names of servers: a kind of name that no rule speaks of would be free.
    permitted += ",excluded;email:.,excluded;URI:.";
    if (X509_set_issuer_name(own, X509_get_subject_name(own)) != 1 ||
        !add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(own, own, NID_key_usage, "critical,keyCertSign") ||
        !add_extension(own, own, NID_ext_key_usage, "serverAuth") ||
        !add_extension(own, own, NID_subject_key_identifier, "hash") ||
        !add_extension(own, own, NID_name_constraints, permitted))
        return unsigned_yet;
    return sign(own, key);
}

Result<std::string> issue(std::string_view authority, const Key& authority_key, const Key& page_key, const Names& names,
                          Seconds now) {
    const auto chain = read_chain(authority);
    if (chain.empty()) return Error{Errc::malformed, "the box's own authority is no certificate"};
    if (X509_check_private_key(chain.front().get(), authority_key.get()) != 1)
        return Error{Errc::refused, "the box's own authority has another key"};
    const auto all = alternatives(names);
    if (!all) return all.error();
    const auto made =
        begin(page_key, names.dns.empty() ? "Clinic Edge" : names.dns.front(), now - clocks_differ, now + page_lasts);
    if (!made) return unsigned_yet;
    X509* page = made.get();
    X509* issuer = chain.front().get();
    const Extension alternative{X509V3_EXT_i2d(NID_subject_alt_name, 0, all->get())};
    if (!alternative || X509_set_issuer_name(page, X509_get_subject_name(issuer)) != 1 ||
        !add_extension(page, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(page, issuer, NID_key_usage, "critical,digitalSignature") ||
        !add_extension(page, issuer, NID_ext_key_usage, "serverAuth") ||
        !add_extension(page, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(page, issuer, NID_authority_key_identifier, "keyid:always") ||
        X509_add_ext(page, alternative.get(), -1) != 1)
        return unsigned_yet;
    return sign(page, authority_key);
}

} // namespace clinic::certificates
