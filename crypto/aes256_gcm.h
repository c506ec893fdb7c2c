// AES-256-GCM by OpenSSL, with nonces that do not repeat over the life of a store.
//   Format:  nonce 24 = key epoch 4 | session 12 | count 8. A session is random and has a key of its own: BLAKE2b-256
//            of the session, keyed with the piece's key. GCM's own nonce of 12 is four zeros and the count, from 1.
//            Why it cannot repeat: docs/store-format.md, "Nonces".
//   Errors:  std::bad_alloc, where OpenSSL gets no memory.
//   Threads: any; one mutex inside, held while a context is handed out or taken back.
//   Source:  NIST SP 800-38D, 8.2.1 (deterministic construction).
#pragma once

#include <cstdint>
#include <memory>

#include "crypto/aead.h"
#include "crypto/secure_bytes.h"

namespace clinic::crypto {

std::unique_ptr<Aead> make_aes256_gcm(SecureBytes key, std::uint32_t epoch);

// The processor has instructions for AES and for GCM's multiplication. Without them OpenSSL's AES is slow.
bool processor_has_aes();

} // namespace clinic::crypto
