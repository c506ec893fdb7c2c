#include "crypto/page_cipher.h"

#include <algorithm>

#include "crypto/octets.h"
#include "crypto/seal.h"

namespace clinic::crypto {

Associated associated_data(const StoreUuid& store, PieceAt at) {
    Associated made{};
    const std::span<std::byte> bytes{made};
    put_number(bytes, format_version);
    std::ranges::copy(store, bytes.subspan(4).begin());
    put_number(bytes.subspan(20), static_cast<std::uint32_t>(at.piece));
    put_number(bytes.subspan(24), at.index);
    put_number(bytes.subspan(32), at.generation);
    return made;
}

SecureBytes piece_key(const SecureBytes& store_key, Piece piece) {
    return derive(store_key, static_cast<std::uint64_t>(piece), "clinicdb");
}

PageCipher::PageCipher(CipherId cipher, const SecureBytes& store_key, std::uint32_t epoch, const StoreUuid& store)
    : id_{cipher}, store_{store}, epoch_{epoch} {
    for (const auto piece : {Piece::page, Piece::wal_header, Piece::frame_header, Piece::frame_page})
        aeads_[static_cast<std::size_t>(piece) - 1] = make_aead(cipher, piece_key(store_key, piece), epoch);
}

void PageCipher::seal(PieceAt at, std::span<const std::byte> plain, std::span<std::byte> sealed) const {
    aead(at.piece).seal(plain, associated_data(store_, at), sealed);
}

bool PageCipher::open(PieceAt at, std::span<const std::byte> sealed, std::span<std::byte> plain) const {
    return aead(at.piece).open(sealed, associated_data(store_, at), plain);
}

} // namespace clinic::crypto
