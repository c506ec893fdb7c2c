#include "sync/relay/signature.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "crypto/seal.h"
#include "crypto/signature.h"

namespace clinic::relay {
namespace {

using PublicKey = std::unique_ptr<EVP_PKEY, base::FreedBy<EVP_PKEY_free>>;
using Checking = std::unique_ptr<EVP_MD_CTX, base::FreedBy<EVP_MD_CTX_free>>;

constexpr const char* header = "X-GHL-Signature";
constexpr const char* legacy_header = "X-WH-Signature";
constexpr std::size_t signature_text_max = 1'024; // 684 for 512 bytes
constexpr std::size_t pem_bytes_max = 8'192;
constexpr int rsa_bits_min = 2'048;
// RFC 8410 §4: what stands before the 32 bytes of an Ed25519 key.
constexpr std::array<unsigned char, 12> ed25519_prefix{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr std::size_t ed25519_bytes = 32;

// Nothing: it is not base64 with its padding.
std::optional<std::vector<unsigned char>> from_base64(std::string_view text) {
    if (text.empty() || text.size() > signature_text_max || text.size() % 4 != 0) return std::nullopt;
    std::vector<unsigned char> out(text.size() / 4 * 3);
    const int length =
        EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    if (length < 0) return std::nullopt;
    const auto padding = static_cast<std::size_t>(std::min<std::ptrdiff_t>(
        2, std::distance(text.rbegin(), std::find_if(text.rbegin(), text.rend(), [](char c) { return c != '='; }))));
    out.resize(static_cast<std::size_t>(length) - padding);
    return out;
}

std::string hex_of(std::span<const unsigned char> bytes) {
    return crypto::hex(std::as_bytes(bytes));
}

Result<std::string> read_key(std::string_view text) {
    const auto der = from_base64(text);
    if (!der || der->size() != ed25519_prefix.size() + ed25519_bytes ||
        !std::equal(ed25519_prefix.begin(), ed25519_prefix.end(), der->begin()))
        return Error{Errc::malformed, "signature: not an Ed25519 public key in base64",
                     "give the key of the vendor's webhook guide: it begins with MCowBQYDK2VwAyEA"};
    return hex_of(std::span{*der}.subspan(ed25519_prefix.size()));
}

Result<PublicKey> read_legacy(const std::filesystem::path& file) {
    const auto pem = base::read_text(file, pem_bytes_max);
    if (!pem) return pem.error();
    const std::unique_ptr<BIO, base::FreedBy<BIO_free_all>> in{
        BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size()))};
    PublicKey key{PEM_read_bio_PUBKEY(in.get(), nullptr, nullptr, nullptr)};
    if (!key || EVP_PKEY_base_id(key.get()) != EVP_PKEY_RSA || EVP_PKEY_bits(key.get()) < rsa_bits_min)
        return Error{Errc::malformed, "signature.legacy_key_file: not an RSA public key of at least 2048 bits",
                     "give it as PEM, or leave the setting out"};
    return key;
}

bool is_signed_by_rsa(EVP_PKEY& key, std::string_view text, std::string_view body) {
    const auto given = from_base64(text);
    const Checking checking{EVP_MD_CTX_new()};
    return given && checking &&
           EVP_DigestVerifyInit(checking.get(), nullptr, EVP_sha256(), nullptr, &key) == 1 && // PKCS #1 v1.5
           EVP_DigestVerify(checking.get(), given->data(), given->size(),
                            reinterpret_cast<const unsigned char*>(body.data()), body.size()) == 1;
}

} // namespace

struct Signature::Keys {
    std::vector<std::string> ed25519; // hexadecimal
    PublicKey legacy;                 // null: off
};

Signature::Signature(std::unique_ptr<const Keys> keys) : keys_{std::move(keys)} {}
Signature::Signature(Signature&&) noexcept = default;
Signature& Signature::operator=(Signature&&) noexcept = default;
Signature::~Signature() = default;

Result<Signature> Signature::make(const SignatureKeys& keys) {
    auto read = std::make_unique<Keys>();
    for (const auto* text : {&keys.current, &keys.next}) {
        if (text == &keys.next && text->empty()) continue;
        auto key = read_key(*text);
        if (!key) return key.error();
        read->ed25519.push_back(std::move(*key));
    }
    if (!keys.legacy.empty()) {
        auto legacy = read_legacy(keys.legacy);
        if (!legacy) return legacy.error();
        read->legacy = std::move(*legacy);
    }
    return Signature{std::move(read)};
}

bool Signature::holds(const listener::Head& head, std::string_view body) const {
    if (const auto given = listener::values(head, header); !given.empty()) {
        const auto bytes = given.size() == 1 ? from_base64(given.front()) : std::nullopt;
        if (!bytes) return false;
        const std::string signature = hex_of(*bytes);
        return std::any_of(keys_->ed25519.begin(), keys_->ed25519.end(),
                           [&](const std::string& key) { return crypto::is_signed_by(key, signature, body); });
    }
    const auto given = listener::values(head, legacy_header);
    return keys_->legacy && given.size() == 1 && is_signed_by_rsa(*keys_->legacy, given.front(), body);
}

} // namespace clinic::relay
