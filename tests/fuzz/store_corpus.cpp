// store_corpus FOLDER: writes the samples of the store's targets, which are real files, into their folders of the
// corpus.
#include <cstdio>

#include "crypto/keystore.h"
#include "crypto/store_layout.h"
#include "tests/fakes/temp_folder.h"
#include "tests/fuzz/store_image.h"

using namespace clinic;
using namespace clinic::crypto;

namespace {

void write_keystores(const std::filesystem::path& folder) {
    const auto path = folder / "whole";
    std::filesystem::remove(path);
    auto keys = Keystore::open(path, fuzz::wrapping_key(), StoreUuid{std::byte{0xF5}}, IfAbsent::create);
    Bytes bytes = fuzz::read(path);
    if (!keys || !(*keys)->erase({3})) return;
    Bytes erased = fuzz::read(path);
    erased.resize(4'096 + 8 * 72 + 5); // and cut off in a slot
    fuzz::write(folder / "erased", erased);
    fuzz::write(path, bytes);
}

} // namespace

int main(int count, char** arguments) {
    if (count != 2 || !start()) {
        std::fputs("usage: store_corpus FOLDER\n", stderr);
        return 2;
    }
    const std::filesystem::path corpus{arguments[1]};
    for (const auto cipher : fuzz::ciphers) {
        const char* name = name_of(cipher).c_str();
        const fakes::TempFolder folder;
        const auto store = fuzz::make_store(folder / "records.db", cipher);
        fuzz::write(corpus / "superblock" / name, fuzz::superblocks(cipher));
        fuzz::write(corpus / "wal_image" / name, store.wal);
    }
    write_keystores(corpus / "keystore");
}
