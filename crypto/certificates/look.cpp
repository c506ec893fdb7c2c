// What a certificate says, and whether it can stand on the page.
#include <array>

#include "crypto/certificates/openssl.h"

namespace clinic::certificates {
namespace {

constexpr int chain_max = 10;

std::string entry(const X509_NAME* name, int kind) {
    const int at = X509_NAME_get_index_by_NID(name, kind, -1);
    if (at < 0) return {};
    unsigned char* bytes = nullptr;
    const int size = ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (size < 0) return {};
    std::string text{reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
    OPENSSL_free(bytes);
    return text;
}

std::string name_of(const X509_NAME* name) {
    auto common = entry(name, NID_commonName);
    return common.empty() ? entry(name, NID_organizationName) : common;
}

Seconds seconds_of(const ASN1_TIME* when) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(when, &parts) != 1) return {};
    return Seconds{std::chrono::seconds{timegm(&parts)}};
}

std::string fingerprint_of(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
    return hexadecimal({digest.data(), size}, ":");
}

Names alternatives_of(X509* certificate) {
    const AltNames names{
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
    return names ? names_in(names.get()) : Names{};
}

bool did_sign(X509* issuer, X509* certificate) {
    return X509_check_issued(issuer, certificate) == X509_V_OK &&
           X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
}

} // namespace

std::string hexadecimal(std::span<const unsigned char> bytes, std::string_view between) {
    constexpr const char* digits = "0123456789ABCDEF";
    std::string text;
    for (const unsigned char byte : bytes) {
        if (!text.empty()) text += between;
        text += {digits[byte >> 4U], digits[byte & 15U]};
    }
    return text;
}

std::vector<Certificate> read_chain(std::string_view pem) {
    std::vector<Certificate> chain;
    const Bio from{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    if (!from) return chain;
    while (static_cast<int>(chain.size()) < chain_max) {
        Certificate one{PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)};
        if (!one) break;
        chain.push_back(std::move(one));
    }
    ERR_clear_error(); // the end of the file is one
    return chain;
}

Result<About> look(std::string_view pem) {
    const auto chain = read_chain(pem);
    if (chain.empty()) return Error{Errc::malformed, "there is no certificate in PEM"};
    X509* first = chain.front().get();
    return About{.subject = name_of(X509_get_subject_name(first)),
                 .issuer = name_of(X509_get_issuer_name(first)),
                 .names = alternatives_of(first),
                 .from = seconds_of(X509_get0_notBefore(first)),
                 .until = seconds_of(X509_get0_notAfter(first)),
                 .fingerprint = fingerprint_of(first),
                 .chain = static_cast<int>(chain.size())};
}

bool is_for(std::string_view pem, const Key& key) {
    const auto chain = read_chain(pem);
    const bool same = !chain.empty() && X509_check_private_key(chain.front().get(), key.get()) == 1;
    ERR_clear_error();
    return same;
}

bool is_signed_by(std::string_view pem, std::string_view authority) {
    const auto page = read_chain(pem), above = read_chain(authority);
    return !page.empty() && !above.empty() && did_sign(above.front().get(), page.front().get());
}

bool is_trusted_by(std::string_view pem, std::string_view authority, Seconds now) {
    const auto page = read_chain(pem), above = read_chain(authority);
    const std::unique_ptr<X509_STORE, base::FreedBy<X509_STORE_free>> store{X509_STORE_new()};
    const std::unique_ptr<X509_STORE_CTX, base::FreedBy<X509_STORE_CTX_free>> look{X509_STORE_CTX_new()};
    if (page.empty() || above.empty() || !store || !look ||
        X509_STORE_add_cert(store.get(), above.front().get()) != 1 ||
        X509_STORE_CTX_init(look.get(), store.get(), page.front().get(), nullptr) != 1 ||
        X509_STORE_CTX_set_default(look.get(), "ssl_server") != 1)
        return false;
    X509_STORE_CTX_set_time(look.get(), 0, now.time_since_epoch().count());
    const bool trusted = X509_verify_cert(look.get()) == 1;
    ERR_clear_error();
    return trusted;
}

Result<void> fits(std::string_view pem, const Key& key, const std::vector<std::string>& dns, Seconds now) {
    const auto chain = read_chain(pem);
    if (chain.empty())
        return Error{Errc::malformed, "there is no certificate in PEM",
                     "give the file that begins with BEGIN CERTIFICATE"};
    X509* page = chain.front().get();
    if (X509_check_private_key(page, key.get()) != 1) {
        ERR_clear_error();
        return Error{Errc::refused, "the first certificate is for another key",
                     "put the page's own certificate first; it must come from the newest `clinicctl tls csr`"};
    }
    if (X509_check_ca(page) == 1)
        return Error{Errc::refused, "the first certificate is an authority's", "put the page's own certificate first"};
    for (std::size_t i = 1; i < chain.size(); ++i)
        if (!did_sign(chain[i].get(), chain[i - 1].get()))
            return Error{Errc::refused,
                         "the chain is broken: a certificate is not signed by the next one",
                         "page first, then each issuer in turn",
                         {.line = static_cast<int>(i + 1)}};
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const Place which{.line = static_cast<int>(i + 1)};
        if (seconds_of(X509_get0_notAfter(chain[i].get())) <= now)
            return Error{Errc::refused, "a certificate has expired", "ask for a new one", which};
        if (seconds_of(X509_get0_notBefore(chain[i].get())) > now + clocks_differ)
            return Error{Errc::refused, "a certificate is not valid yet", "look at the box's clock", which};
    }
    for (const auto& name : dns)
        if (X509_check_host(page, name.c_str(), name.size(), 0, nullptr) == 1) return {};
    return Error{Errc::refused, "the certificate names none of the page's names",
                 "ask for one with the names of `clinicctl tls csr`"};
}

} // namespace clinic::certificates
