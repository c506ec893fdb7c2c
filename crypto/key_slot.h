// A key slot opens the store key, like LUKS: here the machine slot, a 32-byte key in a credential file.
#pragma once

#include <filesystem>
#include <utility>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

// Move-only owner of a key-encryption key.
class KeySlot {
public:
    // 32 raw bytes, or 64 hexadecimal digits with or without a line end (systemd's LoadCredential= path).
    // Errors: locked, when it is not there or not a key; the store stays as it is.
    static Result<KeySlot> from_credential_file(const std::filesystem::path& path);
    static KeySlot from_key(SecureBytes key);

    const SecureBytes& key() const { return key_; }

private:
    explicit KeySlot(SecureBytes key) : key_{std::move(key)} {}
    SecureBytes key_;
};

} // namespace clinic::crypto
