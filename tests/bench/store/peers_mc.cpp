// SQLite3MultipleCiphers with a raw key, so without the cost of a passphrase. Built by tests/bench/store/peers.
#include "tests/bench/arguments.h"
#include "tests/bench/store/peer.h"

namespace clinic::bench::store {
namespace {

Opened keyed(const std::string& file, const std::string& cipher) {
    // It encrypts above a VFS of its own, here the one that every peer has.
    Opened opened{nullptr, cipher, open_through(file, "multipleciphers-unix-excl")};
    const std::string key = "PRAGMA cipher = '" + cipher + "'; PRAGMA key = 'raw:" + std::string(64, '5') + "'";
    if (sqlite3_exec(opened.db.get(), key.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        give_up("SQLite3MultipleCiphers does not take its key");
    return opened;
}
Opened mc_aegis(const std::string& file) {
    return keyed(file, "aegis");
}
Opened mc_chacha20(const std::string& file) {
    return keyed(file, "chacha20");
}

} // namespace

std::map<std::string, Open> peers() {
    return {{"mc_aegis", mc_aegis}, {"mc_chacha20", mc_chacha20}};
}

} // namespace clinic::bench::store
