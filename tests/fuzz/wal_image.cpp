// A WAL as somebody without the key may leave it: the store does not open, or reading fails, or it holds what was
// committed at some time. After that it takes another row and keeps it.
#include <algorithm>
#include <cassert>
#include <map>

#include "crypto/wal_preamble.h"
#include "tests/fakes/temp_folder.h"
#include "tests/fuzz/bytes.h"
#include "tests/fuzz/store_image.h"

using namespace clinic;
using namespace clinic::crypto;

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

namespace fs = std::filesystem;

class Subject {
public:
    Subject() {
        for (const auto cipher : fuzz::ciphers) stores_[cipher] = fuzz::make_store(database_, cipher);
    }

    void read_with(std::span<const std::byte> wal) {
        const fuzz::Store& store = stores_.at(cipher_of(wal));
        fuzz::write(database_, store.database);
        fuzz::write(wal_, wal);
        const std::string seen = look("");
        if (seen.empty()) return;
        assert(std::ranges::count(store.states, seen) == 1);
        const std::string grown = look("INSERT INTO t(id, word) VALUES(1000, 'new')");
        assert(grown == look("") && grown.starts_with(seen.substr(0, seen.size() - 1)) && grown.size() > seen.size());
        fs::remove(wal_);
    }

private:
    // The store that the WAL was made for.
    static CipherId cipher_of(std::span<const std::byte> wal) {
        WalHead head;
        for (const auto cipher : fuzz::ciphers) {
            const PageCipher opener{cipher, fuzz::store_key(), 1, fuzz::parts(cipher).store};
            if (wal.size() >= preamble_bytes &&
                open_preamble(opener, wal.first(preamble_bytes), head) == PreambleLook::whole)
                return cipher;
        }
        return fuzz::ciphers.front();
    }

    // All rows, after a statement; empty: an error that says so.
    std::string look(const std::string& first) {
        auto vfs = SealedVfs::open(database_, fuzz::slot(), IfAbsent::fail);
        if (!vfs) {
            assert(first.empty());
            const auto code = vfs.error().code;
            assert(code == base::Errc::tampered || code == base::Errc::conflict || code == base::Errc::newer);
            return "";
        }
        const fuzz::Db db = fuzz::connect(**vfs, database_);
        if (db == nullptr) return "";
        fuzz::run(db.get(), "PRAGMA synchronous=OFF");
        const int rc = fuzz::run(db.get(), first);
        const std::string rows = fuzz::text(db.get(), fuzz::everything);
        if (rows.starts_with("error")) {
            assert(first.empty() && rows == "error " + std::to_string(SQLITE_IOERR_DATA));
            return "";
        }
        assert(rc == SQLITE_OK && fuzz::text(db.get(), "PRAGMA integrity_check") == "ok;");
        return rows;
    }

    const fakes::TempFolder folder_;
    const fs::path database_ = folder_ / "records.db";
    const fs::path wal_ = folder_ / "records.db-wal";
    std::map<CipherId, fuzz::Store> stores_;
};

Subject& subject() {
    static Subject made;
    return made;
}

// A part of the file that is sealed by itself.
struct Part {
    std::size_t at, size;
};

Part part_of(std::size_t frames, unsigned choice) {
    const std::size_t slot = slot_offset(1 + choice / 4 % frames);
    switch (choice % 4) {
    case 0: return {48, sealed_wal_head_bytes};
    case 1: return {slot, sealed_frame_head_bytes};
    case 2: return {slot + sealed_frame_head_bytes, sealed_frame_page_bytes};
    default: return {slot, slot_bytes};
    }
}

} // namespace

// Mostly what an attacker would do: whole pieces moved, zeroed, damaged in one place, or the tail gone.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max,
                                               unsigned seed) {
    const std::size_t frames = frames_in(size);
    if (frames < 2 || seed % 8 == 0) return LLVMFuzzerMutate(data, size, size_max);
    const Part one = part_of(frames, seed >> 3);
    const Part other = part_of(frames, (seed >> 3 & 3U) | (seed >> 12) << 2);
    switch (seed % 8) {
    case 1:
    case 2: std::swap_ranges(data + one.at, data + one.at + one.size, data + other.at); break;
    case 3: std::copy_n(data + one.at, one.size, data + other.at); break;
    case 4: std::fill_n(data + one.at, one.size, std::uint8_t{0}); break;
    case 5: return std::min(size, one.at + (seed >> 20) % slot_bytes);
    default: LLVMFuzzerMutate(data + one.at, one.size, one.size);
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    subject().read_with({reinterpret_cast<const std::byte*>(data), size});
    return 0;
}
