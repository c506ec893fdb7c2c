// A store, damage to its bytes, and what is read of it then: an error and true rows before it, never other data.
//   Counts:  every look at damaged files is a case; each test says at its end how many it had.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "crypto/store_layout.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {

// Bytes of a file put over others, which come back when it goes.
class Patch {
public:
    Patch(std::filesystem::path path, std::uint64_t at, std::span<const std::byte> bytes);
    ~Patch();
    Patch(const Patch&) = delete;
    Patch& operator=(const Patch&) = delete;

private:
    std::filesystem::path path_;
    std::uint64_t at_;
    Bytes before_;
};

// Bytes at an offset of a file, and bytes written there.
Bytes piece_of(const std::filesystem::path& path, std::uint64_t at, std::size_t size);
void put_piece(const std::filesystem::path& path, std::uint64_t at, std::span<const std::byte> bytes);

// A byte with one of its bits turned over; `round` chooses the bit.
Bytes flipped(const std::filesystem::path& path, std::uint64_t at, std::uint64_t round);

// The first, the last and one in between of each part of a sealed piece: ciphertext, nonce, tag.
std::vector<std::uint64_t> telling_offsets(std::size_t plain_bytes, std::uint64_t round);

struct Seen {
    std::string error{};           // of opening or reading; empty: all was read
    std::vector<std::string> rows; // that SQLite handed out before that
    std::uint64_t failures = 0;    // pieces that did not open

    bool is(const std::vector<std::string>& state) const { return error.empty() && rows == state; }
};

class Tamper : public StoreTest, public testing::WithParamInterface<CipherId> {
protected:
    void SetUp() override; // 310 rows, some of them on many pages, checkpointed and closed
    void TearDown() override;

    std::uint64_t pages() const { return (whole_.size() - main_head_bytes) / page_bytes; }
    PageCipher cipher() const { return PageCipher{parts_.cipher, store_key_, parts_.epoch, parts_.store}; }
    void restore(); // the database as it was; no WAL

    // Everything that the store holds, by table and by index, and what integrity_check says.
    Seen look();
    // A case: reading ends with this error, and gave no row but true ones. Empty: with any error.
    void noticed(const std::string& what, const std::string& error);
    void noticed_io_error(std::uint64_t page, const std::string& what); // the error that belongs to the page
    // A case: it reads as it did.
    void not_harmed(const std::string& what);
    bool is_true_so_far(const Seen& seen, const std::vector<std::string>& state) const;

    // A store of the same rows in a folder of its own.
    std::filesystem::path other_store(const char* name, const Superblock& parts, const SecureBytes& key);

    Superblock parts_{.store = {std::byte{0x51}}};
    const SecureBytes store_key_ = key_of(0xC3);
    Bytes whole_;
    std::vector<std::string> truth_;
    std::uint64_t cases_ = 0;
};

std::string io_error();
std::string not_a_database();
std::string opening(Errc code);

// A database with a WAL as a crash leaves it: ten commits of some frames each.
class WalTamper : public Tamper {
protected:
    void SetUp() override;
    void restore_crash();
    std::uint64_t frames() const { return ends_.back(); }
    void commit(Connection& db, const std::string& sql); // and remembers what the store holds then
    void crash();                                        // from now on the files are as they are at this moment
    std::uint64_t commit_of(std::uint64_t frame) const;  // from 0 on
    void put_wal(std::span<const std::byte> wal) { put_contents(wal_, wal); }

    // A case: damage in this frame is an error; in the last commit it may instead be lost, as by a power cut, and
    // then it is counted. Puts the files back.
    void frame_noticed(std::uint64_t frame, const std::string& what, bool counted = true);
    void wal_noticed(const std::string& what, Errc error);

    std::vector<std::vector<std::string>> states_; // after each commit
    std::vector<std::uint64_t> ends_;              // the last frame of each commit
    Bytes crashed_whole_;
    Bytes wal_whole_;
};

} // namespace clinic::crypto::tests
