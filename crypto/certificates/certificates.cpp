#include "crypto/certificates/certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "crypto/certificates/openssl.h"

namespace clinic::certificates {

void Key::Free::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}

Result<Key> Key::make() {
    EVP_PKEY* made = EVP_EC_gen("P-256");
    if (made == nullptr) return Error{Errc::system, "OpenSSL makes no key"};
    return Key{made};
}

Result<Key> Key::read(std::span<const std::byte> pem) {
    const Bio from{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    EVP_PKEY* read = from ? PEM_read_bio_PrivateKey(from.get(), nullptr, nullptr, nullptr) : nullptr;
    if (read == nullptr) return Error{Errc::malformed, "the key is not one in PEM without a password"};
    return Key{read};
}

Result<crypto::SecureBytes> Key::pem() const {
    const Bio to{BIO_new(BIO_s_secmem())};
    if (!to || PEM_write_bio_PKCS8PrivateKey(to.get(), get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return out_of_memory;
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(to.get(), &bytes);
    return crypto::SecureBytes::copy_of(std::as_bytes(std::span{bytes, static_cast<std::size_t>(size)}));
}

std::string text_of(BIO* bio) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

Result<std::string> request(const Key& key, const Names& names) {
    if (names.dns.empty())
        return Error{Errc::malformed, "a request needs a name", "give it: --name page.clinic.example"};
    auto all = alternatives(names);
    if (!all) return all.error();
    const Request made{X509_REQ_new()};
    if (!made) return out_of_memory;
    X509_NAME* subject = X509_REQ_get_subject_name(made.get());
    const Extension alternative{X509V3_EXT_i2d(NID_subject_alt_name, 0, all->get())};
    std::unique_ptr<STACK_OF(X509_EXTENSION),
                    decltype([](STACK_OF(X509_EXTENSION) * some) { sk_X509_EXTENSION_free(some); })>
        extensions{sk_X509_EXTENSION_new_null()};
    const auto* name = reinterpret_cast<const unsigned char*>(names.dns.front().c_str());
    const Bio to{BIO_new(BIO_s_mem())};
    if (!alternative || !extensions || !to || sk_X509_EXTENSION_push(extensions.get(), alternative.get()) <= 0 ||
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) != 1 ||
        X509_REQ_set_pubkey(made.get(), key.get()) != 1 || X509_REQ_add_extensions(made.get(), extensions.get()) != 1 ||
        X509_REQ_sign(made.get(), key.get(), EVP_sha256()) <= 0 || PEM_write_bio_X509_REQ(to.get(), made.get()) != 1)
        return Error{Errc::system, "OpenSSL makes no request"};
    return text_of(to.get());
}

} // namespace clinic::certificates
