// SQLCipher with a raw key, so without the cost of a passphrase. Built by tests/bench/store/peers.
#include "tests/bench/arguments.h"
#include "tests/bench/store/peer.h"

namespace clinic::bench::store {
namespace {

Opened sqlcipher(const std::string& file) {
    Opened opened{nullptr, "aes-256-cbc hmac-sha512", open_through(file, "unix-excl")};
    const std::string key = "PRAGMA key = \"x'" + std::string(64, '5') + std::string(32, 'a') + "'\""; // and its salt
    if (sqlite3_exec(opened.db.get(), key.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
        give_up("SQLCipher does not take its key");
    return opened;
}

} // namespace

std::map<std::string, Open> peers() {
    return {{"sqlcipher", sqlcipher}};
}

} // namespace clinic::bench::store
