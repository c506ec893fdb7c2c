#include "crypto/sealed_blob.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>

#include "crypto/base/files.h"

namespace clinic::crypto {
namespace {

constexpr std::string_view magic = "clinic-edge blob 1\n", magic_of_any = "clinic-edge blob ";
constexpr std::size_t mark_bytes = 8, part_bytes = 65'536;
constexpr std::size_t sealed_key_bytes = key_bytes + crypto_box_SEALBYTES;
constexpr std::size_t part_overhead = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr std::size_t head_bytes =
    magic.size() + mark_bytes + sealed_key_bytes + crypto_secretstream_xchacha20poly1305_HEADERBYTES;
static_assert(sizeof(BlobKey) == crypto_box_PUBLICKEYBYTES && key_bytes == crypto_box_SECRETKEYBYTES);
static_assert(key_bytes == crypto_secretstream_xchacha20poly1305_KEYBYTES);
static_assert(head_bytes == 131 && part_overhead == 17, "docs/bundle.md");

constexpr Error no_key{Errc::malformed, "not a key of 64 hexadecimal digits",
                       "make one where bundles are read: clinicctl bundle keygen"};

unsigned char* raw(std::byte* bytes) {
    return reinterpret_cast<unsigned char*>(bytes);
}
const unsigned char* raw(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}

std::span<const std::byte> mark_of(const Digest& digest) {
    return std::span{digest}.first(mark_bytes);
}

void append(Bytes& to, std::span<const std::byte> bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

// Where each part of the heading lies.
struct Head {
    std::span<const std::byte> magic, mark, key, stream;
    explicit Head(std::span<const std::byte> all)
        : magic{all.first(crypto::magic.size())}, mark{all.subspan(magic.size(), mark_bytes)},
          key{all.subspan(magic.size() + mark_bytes, sealed_key_bytes)},
          stream{all.last(crypto_secretstream_xchacha20poly1305_HEADERBYTES)} {}
};

bool unhex(std::string_view text, std::span<std::byte> into) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    std::size_t size = 0;
    const char* end = nullptr;
    return sodium_hex2bin(raw(into.data()), into.size(), text.data(), text.size(), nullptr, &size, &end) == 0 &&
           size == into.size() && end == text.data() + text.size();
}

Result<SecureBytes> stream_key(std::span<const std::byte> sealed, const SecureBytes& secret, const BlobKey& own) {
    auto key = SecureBytes::zeroed(key_bytes);
    if (crypto_box_seal_open(raw(key.bytes().data()), raw(sealed.data()), sealed.size(), raw(own.data()),
                             raw(secret.bytes().data())) != 0)
        return Error{Errc::tampered, "the file was changed", "have it sent again"};
    return key;
}

// Every part, to the last one, which says that it is.
Result<Bytes> open_parts(std::span<const std::byte> sealed, const SecureBytes& key) {
    constexpr Error changed{Errc::tampered, "the file was changed or cut off", "have it sent again"};
    const auto head = sealed.first(head_bytes);
    crypto_secretstream_xchacha20poly1305_state stream{};
    if (crypto_secretstream_xchacha20poly1305_init_pull(&stream, raw(Head{head}.stream.data()),
                                                        raw(key.bytes().data())) != 0)
        return changed;
    Bytes plain;
    unsigned char tag = 0;
    for (auto rest = sealed.subspan(head_bytes); !rest.empty();) {
        const auto part = rest.first(std::min(part_bytes + part_overhead, rest.size()));
        rest = rest.subspan(part.size());
        if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL || part.size() < part_overhead) return changed;
        const std::size_t from = plain.size();
        plain.resize(from + part.size() - part_overhead);
        if (crypto_secretstream_xchacha20poly1305_pull(&stream, raw(plain.data() + from), nullptr, &tag,
                                                       raw(part.data()), part.size(), raw(head.data()),
                                                       head.size()) != 0)
            return changed;
    }
    sodium_memzero(&stream, sizeof stream);
    if (tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL) return changed;
    return plain;
}

} // namespace

BlobKeys make_blob_keys() {
    BlobKeys keys{{}, SecureBytes::zeroed(key_bytes)};
    crypto_box_keypair(raw(keys.to.data()), raw(keys.secret.bytes().data()));
    return keys;
}

Result<BlobKey> blob_key_of(const SecureBytes& secret) {
    BlobKey key{};
    if (secret.size() != key_bytes || crypto_scalarmult_base(raw(key.data()), raw(secret.bytes().data())) != 0)
        return no_key;
    return key;
}

Result<BlobKey> read_blob_key(std::string_view text) {
    BlobKey key{};
    if (!unhex(text, key)) return no_key;
    return key;
}

Result<SecureBytes> read_blob_secret(std::string_view text) {
    auto key = SecureBytes::zeroed(key_bytes);
    if (!unhex(text, key.bytes())) return no_key;
    return key;
}

std::string fingerprint(const BlobKey& key) {
    std::string text = hex(mark_of(digest(key)));
    for (const std::size_t at : {12U, 8U, 4U}) text.insert(at, "-");
    return text;
}

Result<Bytes> seal_blob(std::span<const std::byte> plain, const BlobKey& to) {
    if (plain.size() > blob_bytes_max) return Error{Errc::full, "more than can be sealed at once"};
    const auto key = SecureBytes::random(key_bytes);
    Bytes sealed_key(sealed_key_bytes), out;
    if (crypto_box_seal(raw(sealed_key.data()), raw(key.bytes().data()), key_bytes, raw(to.data())) != 0) return no_key;
    std::array<std::byte, crypto_secretstream_xchacha20poly1305_HEADERBYTES> header{};
    crypto_secretstream_xchacha20poly1305_state stream{};
    crypto_secretstream_xchacha20poly1305_init_push(&stream, raw(header.data()), raw(key.bytes().data()));
    append(out, base::as_bytes(magic));
    append(out, mark_of(digest(to)));
    append(out, sealed_key);
    append(out, header);
    const Bytes head = out;
    do {
        const auto part = plain.first(std::min(part_bytes, plain.size()));
        plain = plain.subspan(part.size());
        const std::size_t from = out.size();
        out.resize(from + part.size() + part_overhead);
        crypto_secretstream_xchacha20poly1305_push(
            &stream, raw(out.data() + from), nullptr, raw(part.data()), part.size(), raw(head.data()), head.size(),
            plain.empty() ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : std::uint8_t{0});
    } while (!plain.empty());
    sodium_memzero(&stream, sizeof stream);
    return out;
}

Result<Bytes> open_blob(std::span<const std::byte> sealed, const SecureBytes& secret) {
    const auto own = blob_key_of(secret);
    CLINIC_TRY(own);
    const std::string_view begins{reinterpret_cast<const char*>(sealed.data()), std::min(magic.size(), sealed.size())};
    if (begins != magic)
        return begins.starts_with(magic_of_any)
                   ? Error{Errc::newer, "sealed by a newer program", "use a newer clinicctl"}
                   : Error{Errc::malformed, "not a file that clinicctl bundle has sealed", "see which file it is"};
    if (sealed.size() < head_bytes + part_overhead)
        return Error{Errc::tampered, "the file was cut off", "have it sent again"};
    constexpr std::size_t parts_max = blob_bytes_max / part_bytes + 1;
    if (sealed.size() > head_bytes + parts_max * (part_bytes + part_overhead))
        return Error{Errc::full, "longer than any that clinicctl bundle seals"};
    const Head head{sealed.first(head_bytes)};
    if (const auto mine = digest(*own); !std::equal(head.mark.begin(), head.mark.end(), mine.begin()))
        return Error{Errc::locked, "it was sealed to another key", "see which key the clinic's settings name"};
    const auto key = stream_key(head.key, secret, *own);
    CLINIC_TRY(key);
    return open_parts(sealed, *key);
}

} // namespace clinic::crypto
