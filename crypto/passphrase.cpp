#include "crypto/passphrase.h"

#include <sodium.h>
#include <unistd.h>

#include <cassert>

#include "crypto/octets.h"
#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

constexpr std::size_t kib = 1'024;
static_assert(std::tuple_size_v<Salt> == crypto_pwhash_SALTBYTES);
static_assert(passphrase_bytes_max <= crypto_pwhash_PASSWD_MAX);

bool is_small_machine() {
    constexpr std::uint64_t small_bytes = std::uint64_t{2} << 30;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    // What the firmware keeps for itself is not counted as memory.
    return pages <= 0 || page <= 0 ||
           static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) < small_bytes / 10 * 9;
}

} // namespace

bool is_bounded(const StretchCost& cost) {
    return cost.passes >= 1 && cost.passes <= passes_max && cost.memory_kib >= stretch_kib_min &&
           cost.memory_kib <= stretch_kib_max;
}

StretchCost new_stretch_cost() {
    StretchCost cost = is_small_machine() ? StretchCost{.passes = 8, .memory_kib = 64 * kib}
                                          : StretchCost{.passes = 3, .memory_kib = 256 * kib};
    randombytes_buf(cost.salt.data(), cost.salt.size());
    return cost;
}

Result<SecureBytes> stretch(const SecureBytes& passphrase, const StretchCost& cost) {
    assert(is_bounded(cost));
    SecureBytes key = SecureBytes::zeroed(key_bytes);
    const auto* text = reinterpret_cast<const char*>(passphrase.bytes().data());
    if (crypto_pwhash(octets(key.bytes()), key.size(), text, passphrase.size(), octets(cost.salt), cost.passes,
                      std::size_t{cost.memory_kib} * kib, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return Error{Errc::full, "this machine has not the memory that the passphrase needs",
                     "end other programs, or use the 24 words"};
    return key;
}

} // namespace clinic::crypto
