#include "provisioning/page_trust/sealed_keys.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "provisioning/programs/program.h"

namespace clinic::provisioning {
namespace {

constexpr unsigned root_alone = 0600;
constexpr std::size_t file_bytes_max = 65'536;

// Where the TPM does not seal, as on a machine without one, to the host's key alone: the check keys.tpm says which it
// was. systemd-creds' own choice would not, and takes a container for a machine that has none.
Result<Ended> seal(const std::string& name, std::span<const std::byte> secret) {
    const auto with = [&](const char* key) {
        return run_program({"systemd-creds", "encrypt", std::string{"--with-key="} + key, "--name=" + name, "-", "-"},
                           secret);
    };
    auto sealed = with("host+tpm2");
    return sealed && sealed->exit == 0 ? std::move(sealed) : with("host");
}

} // namespace

Result<std::optional<crypto::SecureBytes>> SealedKeys::get(const std::string& file, const std::string& name) const {
    std::error_code why;
    const auto path = folder_ / file;
    if (!std::filesystem::exists(path, why)) {
        if (why) return Error{Errc::system, "the keys' folder cannot be read", "run it as root", {}, why.value()};
        return std::optional<crypto::SecureBytes>{};
    }
    auto opened = run_program({"systemd-creds", "decrypt", "--name=" + name, path, "-"});
    if (!opened) return opened.error();
    if (opened->exit != 0)
        return Error{Errc::locked, "a sealed key does not open on this machine",
                     "it is another machine's, or the TPM was cleared: take it away, and let a new one be made"};
    return std::optional{std::move(opened->out)};
}

Result<void> SealedKeys::put(const std::string& file, const std::string& name,
                             std::span<const std::byte> secret) const {
    const auto sealed = seal(name, secret);
    if (!sealed) return sealed.error();
    if (sealed->exit != 0)
        return Error{Errc::system, "this machine seals no key",
                     "run it as root; look at: systemd-creds setup, systemd-creds has-tpm2"};
    return base::write_durable(folder_ / file, sealed->out.bytes(), root_alone);
}

Result<SealedTo> SealedKeys::sealed_to(const std::string& file) const {
    const auto text = base::read_text(folder_ / file, file_bytes_max);
    CLINIC_TRY(text);
    return provisioning::sealed_to(*text);
}

Result<void> SealedKeys::rename(const std::string& from, const std::string& to) const {
    std::error_code why;
    std::filesystem::rename(folder_ / from, folder_ / to, why);
    if (why) return Error{Errc::system, "a key's file cannot be renamed", "", {}, why.value()};
    const base::UniqueFd folder{open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || fsync(folder.get()) != 0)
        return Error{Errc::system, "the keys' folder is not synced", "", {}, errno};
    return {};
}

} // namespace clinic::provisioning
