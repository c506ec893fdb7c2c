// A reader of a store's files, written from docs/store-format.md with libsodium alone: what it opens is what the page
// says. Nothing of the product is in it.
//   Errors:  empty: it does not open.
//   Threads: any; stateless.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace clinic::format {

using Octets = std::vector<unsigned char>;
enum class Cipher : std::uint32_t { xchacha20_poly1305 = 1, aes256_gcm = 2 };

Octets file(const std::filesystem::path& path);
Octets slice(const Octets& from, std::size_t at, std::size_t size);
std::uint64_t number(const Octets& from, std::size_t at, int bytes);
std::string text(const Octets& from);
void append(Octets& to, const Octets& from);
void append_number(Octets& to, std::uint64_t value, int bytes);

Octets sub_key(const Octets& key, std::uint64_t id, const char* context);
Octets checksum(const Octets& bytes);
Octets mac(const Octets& key, const Octets& bytes);

// "Sealed pieces": the associated data, and a piece `ciphertext | nonce | tag` with the store's cipher.
Octets associated(const Octets& uuid, unsigned kind, std::uint64_t index, std::uint64_t generation);
Octets opened_piece(Cipher cipher, const Octets& key, const Octets& piece, const Octets& ad);
// Anything else that is sealed: `nonce | ciphertext | tag`.
Octets opened_value(const Octets& key, const Octets& sealed, const Octets& ad);

// The store key, by the first key slot of superblock A, which is the machine's.
Octets store_key(const Octets& database, const Octets& slot_key);
Octets store_uuid(const Octets& database);

// "Keystore": the slot's key, by `content` 1; by 2 the zeros of an erased one.
Octets opened_slot(const Octets& keystore, const Octets& wrapping_key, std::uint64_t slot, unsigned content);
std::uint64_t slots_in(const Octets& keystore);

// "Salvage record": the text of its JSON object.
Octets opened_aside(const Octets& sealed, const Octets& database, const Octets& slot_key);

} // namespace clinic::format
