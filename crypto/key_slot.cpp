#include "crypto/key_slot.h"

#include <fcntl.h>
#include <sodium.h>

#include <cassert>
#include <cerrno>

#include "crypto/base/owned.h"
#include "crypto/octets.h"
#include "crypto/recovery_words.h"
#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t file_bytes_max = 2 * key_bytes + 2; // hexadecimal with a line end
constexpr Literal remedy =
    "put back the key file that the setting credential names: 32 bytes, or 64 hexadecimal digits";

// Straight into guarded memory, so that no copy of the key stays in the heap. At most one byte past the bound.
Result<std::size_t> read_key_file(const std::filesystem::path& path, std::span<std::byte> out) {
    const base::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) return Error{Errc::locked, "the key file cannot be opened", remedy, {}, errno};
    std::size_t size = 0;
    while (size < out.size()) {
        const ssize_t got = ::read(file.get(), out.data() + size, out.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error{Errc::locked, "the key file cannot be read", remedy, {}, errno};
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    return size;
}

std::span<const std::byte> without_line_end(std::span<const std::byte> text) {
    if (!text.empty() && text.back() == std::byte{'\n'}) text = text.first(text.size() - 1);
    if (!text.empty() && text.back() == std::byte{'\r'}) text = text.first(text.size() - 1);
    return text;
}

bool from_hex(std::span<const std::byte> text, std::span<std::byte> key) {
    std::size_t made = 0;
    const auto* digits = reinterpret_cast<const char*>(text.data());
    return text.size() == 2 * key_bytes &&
           sodium_hex2bin(octets(key), key.size(), digits, text.size(), nullptr, &made, nullptr) == 0 &&
           made == key_bytes;
}

} // namespace

const char* name(SlotKind kind) {
    switch (kind) {
    case SlotKind::machine: return "machine";
    case SlotKind::recovery: return "recovery";
    case SlotKind::passphrase: return "passphrase";
    }
    return "unnamed";
}

Result<KeySlot> KeySlot::from_credential_file(const std::filesystem::path& path) {
    SecureBytes file = SecureBytes::zeroed(file_bytes_max + 1);
    const auto size = read_key_file(path, file.bytes());
    if (!size) return size.error();
    const std::span<const std::byte> content = std::as_const(file).bytes().first(*size);

    SecureBytes key;
    if (content.size() == key_bytes) {
        key = SecureBytes::copy_of(content);
    } else {
        key = SecureBytes::zeroed(key_bytes);
        if (!from_hex(without_line_end(content), key.bytes()))
            return Error{Errc::locked, "the key file does not hold a key", remedy};
    }
    if (sodium_is_zero(octets(key.bytes()), key.size()) == 1)
        return Error{Errc::locked, "the key file holds zeros", remedy};
    return KeySlot{SlotKind::machine, std::move(key)};
}

KeySlot KeySlot::from_key(SecureBytes key) {
    assert(key.size() == key_bytes);
    return KeySlot{SlotKind::machine, std::move(key)};
}

Result<KeySlot> KeySlot::from_words(const SecureBytes& typed) {
    const auto secret = secret_of(typed);
    CLINIC_TRY(secret);
    return from_recovery_secret(*secret);
}

KeySlot KeySlot::from_recovery_secret(const SecureBytes& secret) {
    static_assert(recovery_secret_bytes == key_bytes);
    return KeySlot{SlotKind::recovery, derive(secret, 1, "clinicrw")};
}

Result<KeySlot> KeySlot::from_passphrase(SecureBytes passphrase) {
    if (passphrase.size() < passphrase_bytes_min || passphrase.size() > passphrase_bytes_max)
        return Error{Errc::malformed, "a passphrase has 12 to 1,024 characters",
                     "take several words that nobody would guess"};
    return KeySlot{SlotKind::passphrase, std::move(passphrase)};
}

Result<SecureBytes> KeySlot::wrapping_key(const StretchCost& cost) const {
    if (kind_ == SlotKind::passphrase) return stretch(key_, cost);
    return SecureBytes::copy_of(key_.bytes());
}

} // namespace clinic::crypto
