// A key slot opens the store key, like LUKS: by a 32-byte key in a credential file (the machine's), by 24 words on
// paper, or by a passphrase.
#pragma once

#include <cstdint>
#include <filesystem>
#include <utility>

#include "crypto/base/result.h"
#include "crypto/passphrase.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

enum class SlotKind : std::uint32_t { machine = 1, recovery = 2, passphrase = 3 };
const char* name(SlotKind kind); // "unnamed" for what is none

// Move-only owner of what a slot is opened with.
class KeySlot {
public:
    // 32 raw bytes, or 64 hexadecimal digits with or without a line end (systemd's LoadCredential= path).
    // Errors: locked, when it is not there or not a key; the store stays as it is.
    static Result<KeySlot> from_credential_file(const std::filesystem::path& path);
    static KeySlot from_key(SecureBytes key);
    static Result<KeySlot> from_words(const SecureBytes& typed); // malformed, as recovery_words.h says
    static KeySlot from_recovery_secret(const SecureBytes& secret);
    // Errors: malformed: shorter or longer than passphrase.h allows.
    static Result<KeySlot> from_passphrase(SecureBytes passphrase);

    SlotKind kind() const { return kind_; }
    const SecureBytes& key() const { return key_; } // 32 bytes; of a passphrase the passphrase itself
    // What wraps the store key. Errors: full, of a passphrase.
    Result<SecureBytes> wrapping_key(const StretchCost& cost) const;

private:
    KeySlot(SlotKind kind, SecureBytes key) : kind_{kind}, key_{std::move(key)} {}
    SlotKind kind_;
    SecureBytes key_;
};

} // namespace clinic::crypto
