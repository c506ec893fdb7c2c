// Whether HighLevel has sent these bytes. It signs the raw body with one key for all its customers: a signature that
// holds says "from HighLevel", not "for us".
//   Errors:  malformed (a key that cannot be used), not_found, full (the key's file).
//   Threads: any; const once made.
//   Source:  facts/ghl-api §4.3.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/base/result.h"
#include "crypto/listener/head.h"

namespace clinic::relay {

struct SignatureKeys {
    std::string current, next;    // Ed25519, SubjectPublicKeyInfo in base64; `next` may be empty
    std::filesystem::path legacy; // RSA, PEM; empty: the legacy header counts for nothing
};

class Signature {
public:
    static Result<Signature> make(const SignatureKeys& keys);
    Signature(Signature&&) noexcept;
    Signature& operator=(Signature&&) noexcept;
    ~Signature();

    // X-GHL-Signature where it is there, exactly once and nothing else; X-WH-Signature only where it is not, and only
    // with a legacy key.
    bool holds(const listener::Head& head, std::string_view body) const;

private:
    struct Keys;
    explicit Signature(std::unique_ptr<const Keys> keys);
    std::unique_ptr<const Keys> keys_;
};

} // namespace clinic::relay
