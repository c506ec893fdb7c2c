#include "crypto/aead.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>

#include "crypto/aes256_gcm.h"
#include "crypto/octets.h"
#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

static_assert(trailer_bytes == nonce_bytes + tag_bytes);

constexpr std::size_t epoch_bytes = 4; // and 20 random bytes: no nonce repeats in the life of a store

class XChaCha20Poly1305 final : public Aead {
public:
    XChaCha20Poly1305(SecureBytes key, std::uint32_t epoch) : key_{std::move(key)}, epoch_{epoch} {
        assert(key_.size() == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
    }

    void seal(std::span<const std::byte> plain, std::span<const std::byte> associated,
              std::span<std::byte> sealed) const override {
        assert(sealed.size() == plain.size() + trailer_bytes);
        const auto nonce = sealed.subspan(plain.size(), nonce_bytes);
        put_number(nonce, epoch_);
        randombytes_buf(nonce.data() + epoch_bytes, nonce_bytes - epoch_bytes);
        crypto_aead_xchacha20poly1305_ietf_encrypt_detached(
            octets(sealed), octets(sealed.last(tag_bytes)), nullptr, octets(plain), plain.size(), octets(associated),
            associated.size(), nullptr, octets(nonce), octets(key_.bytes()));
    }

    bool open(std::span<const std::byte> sealed, std::span<const std::byte> associated,
              std::span<std::byte> plain) const override {
        assert(sealed.size() == plain.size() + trailer_bytes);
        const auto nonce = sealed.subspan(plain.size(), nonce_bytes);
        const bool opened = get_number<std::uint32_t>(nonce) == epoch_ &&
                            crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
                                octets(plain), nullptr, octets(sealed), plain.size(), octets(sealed.last(tag_bytes)),
                                octets(associated), associated.size(), octets(nonce), octets(key_.bytes())) == 0;
        if (!opened) std::ranges::fill(plain, std::byte{0});
        return opened;
    }

private:
    const SecureBytes key_;
    const std::uint32_t epoch_;
};

using Duration = std::chrono::steady_clock::duration;

// The best of some rounds, of a page sealed and opened.
Duration measured(CipherId id) {
    constexpr int rounds = 5, pages = 16;
    constexpr std::size_t bytes = 4'056;
    const auto aead = make_aead(id, SecureBytes::random(key_bytes), 1);
    std::array<std::byte, bytes> plain{};
    std::array<std::byte, bytes + trailer_bytes> sealed{};
    auto best = Duration::max();
    for (int round = 0; round < rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        for (int page = 0; page < pages; ++page) {
            aead->seal(plain, {}, sealed);
            const bool opened = aead->open(sealed, {}, plain);
            assert(opened);
        }
        best = std::min(best, std::chrono::steady_clock::now() - start);
    }
    return best;
}

} // namespace

bool is_known(CipherId id) {
    return id == CipherId::xchacha20_poly1305 || id == CipherId::aes256_gcm;
}

Literal name_of(CipherId id) {
    assert(is_known(id));
    if (id == CipherId::aes256_gcm) return "AES-256-GCM";
    return "XChaCha20-Poly1305";
}

std::unique_ptr<Aead> make_aead(CipherId id, SecureBytes key, std::uint32_t epoch) {
    assert(is_known(id));
    if (id == CipherId::aes256_gcm) return make_aes256_gcm(std::move(key), epoch);
    return std::make_unique<XChaCha20Poly1305>(std::move(key), epoch);
}

CipherId fastest_cipher() {
    if (!processor_has_aes()) return CipherId::xchacha20_poly1305;
    return measured(CipherId::aes256_gcm) < measured(CipherId::xchacha20_poly1305) ? CipherId::aes256_gcm
                                                                                   : CipherId::xchacha20_poly1305;
}

} // namespace clinic::crypto
