#include "crypto/key_slot.h"

#include <sodium.h>

#include <cassert>

#include "crypto/octets.h"
#include "crypto/recovery_words.h"
#include "crypto/seal.h"
#include "crypto/secret_file.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t file_bytes_max = 2 * key_bytes + 2; // hexadecimal with a line end
constexpr Literal remedy =
    "put back the key file that the setting credential names: 32 bytes, or 64 hexadecimal digits";

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
    constexpr Error no_key{Errc::locked, "the key file does not hold a key", remedy};
    const auto file = read_secret_file(path, file_bytes_max);
    if (!file && file.error().code == Errc::full) return no_key;
    if (!file && file.error().code == Errc::not_found)
        return Error{Errc::locked, "the key file cannot be opened", remedy, {}, file.error().native};
    if (!file) return Error{Errc::locked, "the key file cannot be read", remedy, {}, file.error().native};
    const std::span<const std::byte> content = file->bytes();

    SecureBytes key;
    if (content.size() == key_bytes) {
        key = SecureBytes::copy_of(content);
    } else {
        key = SecureBytes::zeroed(key_bytes);
        if (!from_hex(without_line_end(content), key.bytes())) return no_key;
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
