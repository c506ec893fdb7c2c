// Seals the pieces of a store, each bound to its kind, its place and the store itself.
//   Format:  docs/store-format.md, "Sealed pieces".
//   Threads: any; const after it is made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "crypto/aead.h"
#include "crypto/secure_bytes.h"
#include "crypto/store_uuid.h"

namespace clinic::crypto {

inline constexpr std::uint32_t format_version = 1;

// The number is both the sub-key's id and part of the associated data.
enum class Piece : std::uint32_t {
    page = 1,
    wal_header = 2,
    frame_header = 3,
    frame_page = 4,
    store_key = 15,      // the wrapped key in a superblock
    superblock_mac = 16, // only a sub-key's id
};

struct PieceAt {
    Piece piece;
    std::uint64_t index;          // page or frame number from 1; the key epoch for store_key
    std::uint64_t generation = 0; // the WAL's salts, for frame_page
};

using Associated = std::array<std::byte, 40>;
Associated associated_data(const StoreUuid& store, PieceAt at);
SecureBytes piece_key(const SecureBytes& store_key, Piece piece);

class PageCipher {
public:
    PageCipher(CipherId cipher, const SecureBytes& store_key, std::uint32_t epoch, const StoreUuid& store);

    // `sealed` is `plain.size()` + trailer_bytes long.
    void seal(PieceAt at, std::span<const std::byte> plain, std::span<std::byte> sealed) const;
    [[nodiscard]] bool open(PieceAt at, std::span<const std::byte> sealed, std::span<std::byte> plain) const;

    const StoreUuid& store() const { return store_; }
    CipherId id() const { return id_; }
    std::uint32_t epoch() const { return epoch_; }

private:
    const Aead& aead(Piece piece) const { return *aeads_[static_cast<std::size_t>(piece) - 1]; }

    CipherId id_;
    StoreUuid store_;
    std::uint32_t epoch_;
    std::array<std::unique_ptr<Aead>, 4> aeads_;
};

} // namespace clinic::crypto
