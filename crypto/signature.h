// Ed25519 (RFC 8032) by libsodium: who signed, and that nothing was changed since. The same bytes by the same key have
// the same signature.
//   Errors:  malformed for a key or signature of another length.
//   Threads: any; const once made.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

inline constexpr std::size_t signing_seed_bytes = 32;

class SigningKey {
public:
    // From its seed, which is the secret to keep.
    static Result<SigningKey> from_seed(std::span<const std::byte> seed);

    const std::string& public_key() const { return public_; } // hexadecimal
    std::string sign(std::string_view message) const;         // hexadecimal

private:
    SigningKey(SecureBytes secret, std::string known) : secret_{std::move(secret)}, public_{std::move(known)} {}
    SecureBytes secret_;
    std::string public_;
};

// Both in hexadecimal.
bool is_signed_by(std::string_view public_key, std::string_view signature, std::string_view message);

} // namespace clinic::crypto
