// Certificates for the page (X.509): a key, a request for somebody else's signature, an authority of the box's own, and
// what a certificate says.
//   The box's own authority may sign for this box's names and for addresses that no public network has, and for nothing
//   else: who trusts it trusts it for this page alone, whatever becomes of its key.
//   Bounds:  ECDSA on P-256. The authority lasts ten years; a page's certificate 397 days, which every browser takes.
//   Errors:  malformed (no PEM, no certificate, no key), refused (why a certificate is not for us), system.
//   Threads: any; objects belong to one at a time.
//   Source:  RFC 5280 §4.2.1.10 (name constraints), RFC 2986 (requests).
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

struct evp_pkey_st;

namespace clinic::certificates {

using Seconds = std::chrono::sys_seconds;

inline constexpr std::chrono::days authority_lasts{3'650}, page_lasts{397};

// What the page is called in a browser's line, without a port.
struct Names {
    std::vector<std::string> dns, addresses; // addresses: IPv4 or IPv6, as text

    bool holds(const Names& others) const;
    friend bool operator==(const Names&, const Names&) = default;
};
// Lower case, sorted, each once; an address of IPv6 in its shortest form. Errors: malformed.
Result<Names> tidy(Names names);

class Key {
public:
    static Result<Key> make();
    static Result<Key> read(std::span<const std::byte> pem);
    Result<crypto::SecureBytes> pem() const; // PKCS #8, not sealed
    evp_pkey_st* get() const { return key_.get(); }

private:
    struct Free {
        void operator()(evp_pkey_st* key) const;
    };
    explicit Key(evp_pkey_st* key) : key_{key} {}
    std::unique_ptr<evp_pkey_st, Free> key_;
};

// A request (PKCS #10, PEM) for the first name, with all names as its alternatives.
Result<std::string> request(const Key& key, const Names& names);

// The certificate of an authority (PEM) that may sign for `dns` and for private addresses. Its name ends in the
// beginning of its key's digest, so that two boxes in one list can be told apart. It is valid from before this release,
// which no true clock is behind: one that was ahead when it was made leaves nothing that is not valid yet.
Result<std::string> make_authority(const Key& key, const std::vector<std::string>& dns, Seconds now);
// A page's certificate (PEM), from an hour ago on, since clocks differ.
Result<std::string> issue(std::string_view authority, const Key& authority_key, const Key& page_key, const Names& names,
                          Seconds now);

// Of the first certificate of a PEM file.
struct About {
    std::string subject, issuer; // common name, else organization
    Names names;
    Seconds from, until;
    std::string fingerprint; // SHA-256, as browsers show it: pairs in upper case with colons
    int chain = 0;           // certificates in the file
};
Result<About> look(std::string_view pem);

bool is_for(std::string_view pem, const Key& key);                   // its first certificate
bool is_signed_by(std::string_view pem, std::string_view authority); // its first certificate
// A browser that trusts the authority takes this page's certificate now: constraints and times are looked at, too.
bool is_trusted_by(std::string_view pem, std::string_view authority, Seconds now);

// Whether this chain can stand on the page today. Refused, with the next step: another key's, not of this time, does
// not name the page, a chain whose links do not sign each other, an authority instead of a page's.
Result<void> fits(std::string_view pem, const Key& key, const std::vector<std::string>& dns, Seconds now);

} // namespace clinic::certificates
