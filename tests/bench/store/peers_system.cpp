// The system's SQLite: alone, and with SealedVfs beneath it.
#include <algorithm>
#include <optional>

#include "crypto/aead.h"
#include "crypto/connection.h"
#include "crypto/sealed_vfs.h"
#include "tests/bench/arguments.h"
#include "tests/bench/store/peer.h"

namespace clinic::bench::store {
namespace {

Opened plain(const std::string& file) {
    return {nullptr, "none", open_through(file, "unix-excl")};
}

Opened sealed(const std::string& file, std::optional<crypto::CipherId> cipher) {
    if (!crypto::start()) give_up("libsodium does not start");
    crypto::SecureBytes key = crypto::SecureBytes::zeroed(32);
    std::ranges::fill(key.bytes(), std::byte{0x5a});
    auto vfs =
        crypto::SealedVfs::open(file, crypto::KeySlot::from_key(std::move(key)), crypto::IfAbsent::create, cipher);
    if (!vfs) give_up(vfs.error().what.c_str());
    const std::shared_ptr<crypto::SealedVfs> shared{std::move(*vfs)};
    Opened opened{shared, crypto::name_of(shared->cipher()).c_str(), open_through(file, shared->name())};
    if (!crypto::set_page_reserve(opened.db.get())) give_up("the reserve of a page cannot be set");
    return opened;
}
Opened ours(const std::string& file) { // with the cipher that a store gets on this machine
    return sealed(file, std::nullopt);
}
Opened ours_aes(const std::string& file) { // which alone has sessions
    return sealed(file, crypto::CipherId::aes256_gcm);
}
Opened ours_xchacha20(const std::string& file) { // which is this one where there are no instructions for AES
    return sealed(file, crypto::CipherId::xchacha20_poly1305);
}

} // namespace

std::map<std::string, Open> peers() {
    return {{"plain", plain}, {"ours", ours}, {"ours_aes", ours_aes}, {"ours_xchacha20", ours_xchacha20}};
}

} // namespace clinic::bench::store
