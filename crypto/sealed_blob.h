// A blob for one reader, sealed to that reader's public key: who has sealed it cannot open it again.
//   Format:  docs/bundle.md, "The sealed file".
//   Bounds:  blob_bytes_max, of what is sealed.
//   Errors:  seal: full; malformed (no key that one can seal to). open: malformed (none of ours), newer, locked (sealed
//            to another key), tampered (changed, or cut off), full.
//   Threads: any; stateless.
#pragma once

#include "crypto/seal.h"

namespace clinic::crypto {

inline constexpr std::size_t blob_bytes_max = 16 * 1'048'576;

using BlobKey = std::array<std::byte, 32>; // X25519, public

struct BlobKeys {
    BlobKey to;
    SecureBytes secret;
};
BlobKeys make_blob_keys();
Result<BlobKey> blob_key_of(const SecureBytes& secret); // malformed: not 32 bytes

// As settings write it: 64 hexadecimal digits. Errors: malformed.
Result<BlobKey> read_blob_key(std::string_view text);
// The secret one, as a file has it: the same form. Errors: malformed.
Result<SecureBytes> read_blob_secret(std::string_view text);
// To be compared by people: "3f2a-99c0-1b7e-d004", the first 8 bytes of its BLAKE2b-256.
std::string fingerprint(const BlobKey& key);

Result<Bytes> seal_blob(std::span<const std::byte> plain, const BlobKey& to);
Result<Bytes> open_blob(std::span<const std::byte> sealed, const SecureBytes& secret);

} // namespace clinic::crypto
