// OpenSSL's objects, owned, and what the parts of this folder share.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/certificates/certificates.h"

namespace clinic::certificates {

using Certificate = std::unique_ptr<X509, base::FreedBy<X509_free>>;
using Request = std::unique_ptr<X509_REQ, base::FreedBy<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, base::FreedBy<X509_EXTENSION_free>>;
using AltNames = std::unique_ptr<GENERAL_NAMES, base::FreedBy<GENERAL_NAMES_free>>;

struct FreeBio {
    void operator()(BIO* bio) const noexcept { BIO_free(bio); } // BIO_free answers
};
using Bio = std::unique_ptr<BIO, FreeBio>;

inline constexpr std::chrono::hours clocks_differ{1}; // at most, of who signs and who looks
inline constexpr Error out_of_memory{Errc::system, "OpenSSL has no memory"};

Result<AltNames> alternatives(const Names& names);
Names names_in(const GENERAL_NAMES* names);
std::vector<Certificate> read_chain(std::string_view pem); // empty: none, or one that cannot be read
std::string text_of(BIO* bio);
std::string hexadecimal(std::span<const unsigned char> bytes, std::string_view between); // in upper case

} // namespace clinic::certificates
