// The system's SQLite: alone, and with SealedVfs beneath it.
#include <algorithm>
#include <cstdint>
#include <fstream>

#include "crypto/connection.h"
#include "crypto/sealed_vfs.h"
#include "tests/bench/arguments.h"
#include "tests/bench/store/peer.h"

namespace clinic::bench::store {
namespace {

Opened plain(const std::string& file) {
    return {nullptr, "none", open_through(file, "unix-excl")};
}

// As superblock A says it: docs/store-format.md.
std::string cipher_of(const std::string& file) {
    constexpr std::streamoff cipher_at = 20;
    std::ifstream in{file, std::ios::binary};
    in.seekg(cipher_at);
    std::uint32_t id = 0;
    for (int i = 0; i < 4; ++i) id = id << 8 | static_cast<std::uint32_t>(in.get() & 0xff);
    const std::map<std::uint32_t, std::string> names{{1, "xchacha20-poly1305"}, {2, "aes-256-gcm"}};
    const auto found = names.find(id);
    return found == names.end() ? "cipher " + std::to_string(id) : found->second;
}

Opened ours(const std::string& file) {
    if (!crypto::start()) give_up("libsodium does not start");
    crypto::SecureBytes key = crypto::SecureBytes::zeroed(32);
    std::ranges::fill(key.bytes(), std::byte{0x5a});
    auto vfs = crypto::SealedVfs::open(file, crypto::KeySlot::from_key(std::move(key)), crypto::IfAbsent::create);
    if (!vfs) give_up(vfs.error().what.c_str());
    const std::shared_ptr<crypto::SealedVfs> shared{std::move(*vfs)};
    Opened opened{shared, cipher_of(file), open_through(file, shared->name())};
    if (!crypto::set_page_reserve(opened.db.get())) give_up("the reserve of a page cannot be set");
    return opened;
}

} // namespace

std::map<std::string, Open> peers() {
    return {{"plain", plain}, {"ours", ours}};
}

} // namespace clinic::bench::store
