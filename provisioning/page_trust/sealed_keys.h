// Private keys of this machine, in files that systemd-creds(1) sealed to it: to its host key, and to its TPM2 where
// there is one that seals. As root.
//   Threads: any; files are replaced whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"
#include "provisioning/programs/sealing.h"

namespace clinic::provisioning {

class SealedKeys {
public:
    explicit SealedKeys(std::filesystem::path folder) : folder_{std::move(folder)} {}

    // `name` is sealed in with it, and is the one under which a unit takes it. nullopt: there is no such file.
    // Errors: locked (another machine's, another name's), system.
    Result<std::optional<crypto::SecureBytes>> get(const std::string& file, const std::string& name) const;
    Result<void> put(const std::string& file, const std::string& name, std::span<const std::byte> secret) const;
    // As its file says. Errors: not_found, system.
    Result<SealedTo> sealed_to(const std::string& file) const;
    Result<void> rename(const std::string& from, const std::string& to) const; // durable

private:
    const std::filesystem::path folder_;
};

} // namespace clinic::provisioning
