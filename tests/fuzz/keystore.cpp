// A keystore as a disk may hold it: it does not open, or each slot gives its own key, an error, or nothing because it
// was erased; no two slots give the same. What is erased stays so, and what is given out opens.
#include "crypto/keystore.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <set>

#include "crypto/octets.h"
#include "tests/fakes/temp_folder.h"
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/store_image.h"

using namespace clinic;
using namespace clinic::crypto;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

constexpr std::size_t head_bytes = 4'096;
constexpr std::size_t slot_size = 72;

Result<std::unique_ptr<Keystore>> opened(const std::filesystem::path& path) {
    return Keystore::open(path, fuzz::wrapping_key(), StoreUuid{std::byte{0xF5}}, IfAbsent::fail);
}

bool may_be(base::Errc code) {
    return code == base::Errc::tampered || code == base::Errc::not_found || code == base::Errc::corrupt;
}

} // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
    const std::size_t slots = size < head_bytes ? 0 : (size - head_bytes) / slot_size;
    if (slots < 2 || seed % 8 == 0) return LLVMFuzzerMutate(data, size, size_max);
    std::uint8_t* const one = data + head_bytes + (seed >> 3) % slots * slot_size;
    std::uint8_t* const other = data + head_bytes + (seed >> 16) % slots * slot_size;
    switch (seed % 8) {
    case 1: std::swap_ranges(one, one + slot_size, other); break;
    case 2: std::copy_n(one, slot_size, other); break;
    case 3: LLVMFuzzerMutate(one, slot_size, slot_size); break;
    case 4: return head_bytes + (seed >> 3) % (size - head_bytes);
    case 5: LLVMFuzzerMutate(data, 64, 64); break;
    default: { // a header that the right key made
        LLVMFuzzerMutate(data, 64, 64);
        const SecureBytes key = derive(fuzz::wrapping_key(), 1, "keystore");
        crypto_generichash(data + head_bytes - 32, 32, data, head_bytes - 32, octets(key.bytes()), key.size());
    }
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const fakes::TempFolder folder;
    const auto path = folder / "keys.db";
    fuzz::write(path, {reinterpret_cast<const std::byte*>(data), size});
    auto keys = opened(path);
    if (!keys) {
        const auto code = keys.error().code;
        assert(code == base::Errc::tampered || code == base::Errc::conflict || code == base::Errc::newer);
        return 0;
    }
    const auto slots = static_cast<std::int64_t>((size - head_bytes) / slot_size);
    const auto choice = static_cast<std::int64_t>(size);
    std::set<std::string> given;
    for (std::int64_t slot = 0; slot <= slots + 1; ++slot) {
        const auto key = (*keys)->key({slot});
        if (key)
            assert(given.insert(hex(key->bytes())).second);
        else
            assert(may_be(key.error().code));
    }
    const std::int64_t some = slots == 0 ? 0 : choice % slots + 1;
    assert((*keys)->erase({some}));
    const auto next = (*keys)->next_free({some});
    assert(next && next->value > some && (*keys)->key(*next));
    keys = opened(path);
    assert(keys && (some == 0 || (*keys)->key({some}).error().code == base::Errc::not_found));
    return 0;
}
