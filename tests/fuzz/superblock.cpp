// Two superblocks as a disk may hold them: what opens has the store's own key, says what stands in the bytes, and reads
// the same when it is written anew. The mutator also forges: checksums, and blocks made with the right key.
#include <sodium.h>

#include <algorithm>
#include <cassert>

#include "crypto/octets.h"
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/store_image.h"

using namespace clinic;
using namespace clinic::crypto;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

constexpr std::size_t fields_bytes = 64 + 3 * 160; // up to the third key slot, of either version

Superblock fields_of(std::span<const std::byte> image) {
    Superblock fields;
    fields.cipher = CipherId{1 + get_number<std::uint32_t>(image.subspan(20)) % 2};
    std::ranges::copy(image.subspan(32, 16), fields.store.begin());
    fields.sequence = get_number<std::uint64_t>(image.subspan(48));
    fields.epoch = get_number<std::uint32_t>(image.subspan(56));
    return fields;
}

void forge(std::span<std::byte> image, unsigned how) {
    if (how == 0) return;
    if (how == 1) {
        Superblock fields = fields_of(image);
        const auto made = wrap_anew(fields, fuzz::store_key(), fuzz::slot(), 1);
        assert(made);
        const bool more = get_number<std::uint32_t>(image.subspan(16)) % 2 == 0; // a paper beside it
        if (more && wrap_anew(fields, fuzz::store_key(), KeySlot::from_recovery_secret(fuzz::store_key()), 2))
            fields.version = superblock_version_slots;
        std::ranges::copy(make_superblock(fields, fuzz::store_key()), image.begin());
    }
    std::ranges::copy(digest(image.first(superblock_bytes - 64)), image.subspan(superblock_bytes - 64).begin());
    if (how == 2) return;
    const SecureBytes key = piece_key(fuzz::store_key(), Piece::superblock_mac);
    crypto_generichash(octets(image.subspan(superblock_bytes - 32)), 32, octets(image), superblock_bytes - 32,
                       octets(key.bytes()), key.size());
}

} // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
    if (size < main_head_bytes || size_max < main_head_bytes || seed % 8 == 0)
        return LLVMFuzzerMutate(data, size, size_max);
    const std::span<std::byte> head{reinterpret_cast<std::byte*>(data), main_head_bytes};
    for (std::size_t i = 0; i < superblocks; ++i) {
        const auto image = head.subspan(i * superblock_bytes, superblock_bytes);
        LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(image.data()), fields_bytes, fields_bytes);
        forge(image, seed >> (4 + 2 * i) & 3U);
    }
    return main_head_bytes;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes head(main_head_bytes);
    std::copy_n(reinterpret_cast<const std::byte*>(data), std::min(size, head.size()), head.begin());
    const auto opened = open_superblocks(head, fuzz::slot());
    if (!opened) {
        const auto code = opened.error().code;
        assert(code == base::Errc::tampered || code == base::Errc::locked || code == base::Errc::newer);
        return 0;
    }
    assert(opened->store_key.same_as(fuzz::store_key().bytes()));
    const Superblock& fields = opened->superblock;
    const auto used = std::span{head}.subspan(opened->used * superblock_bytes, superblock_bytes);
    assert(is_known(fields.cipher) && std::ranges::equal(used.subspan(32, 16), fields.store));
    assert(get_number<std::uint64_t>(used.subspan(48)) == fields.sequence);

    // With all its slots as they are, and with the one machine slot.
    for (const auto& image :
         {make_superblock(fields, opened->store_key), make_superblock(fields, opened->store_key, fuzz::slot().key())}) {
        Bytes twice(main_head_bytes);
        for (std::size_t i = 0; i < superblocks; ++i)
            std::ranges::copy(image, twice.begin() + static_cast<std::ptrdiff_t>(i * superblock_bytes));
        const auto again = open_superblocks(twice, fuzz::slot());
        assert(again && !again->other_damaged && !again->other_behind &&
               again->superblock.sequence == fields.sequence && again->superblock.epoch == fields.epoch &&
               again->superblock.store == fields.store && again->superblock.cipher == fields.cipher);
        assert(again->superblock.version == superblock_version_plain ||
               again->superblock.slots.size() == fields.slots.size());
    }
    return 0;
}
