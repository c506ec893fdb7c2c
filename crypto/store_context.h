// What the open files of one store share.
//   Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

#include "crypto/page_cipher.h"

namespace clinic::crypto {

struct StoreContext {
    explicit StoreContext(PageCipher ready) : cipher{std::move(ready)} {}

    // Counts, and logs the first of them and then ever fewer: a damaged store must not flood the journal.
    void note_failure(Literal what, std::uint64_t index);

    // What was read ahead before it, or while it lasts, is not used after it.
    class MainWrite {
    public:
        explicit MainWrite(StoreContext& context) : writes_{context.main_writes} { ++writes_; }
        ~MainWrite() { ++writes_; }
        MainWrite(const MainWrite&) = delete;
        MainWrite& operator=(const MainWrite&) = delete;

    private:
        std::atomic<std::uint64_t>& writes_;
    };

    const PageCipher cipher;
    // The salts of the WAL as it is now. Each generation's pages are bound to it, so that a page of an earlier
    // one does not open in the same slot. Right for all connections, as there is one process.
    std::atomic<std::uint64_t> wal_generation{0};
    // Of the database, by every connection: begun and ended writes, and the pages it has (0: not known). It is written
    // under SQLite's locks for a checkpoint or a lone writer: by one connection at a time.
    std::atomic<std::uint64_t> main_writes{0};
    std::atomic<std::uint64_t> main_pages{0};
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> recovery_failures{0};
    std::atomic<std::uint64_t> unread{0}; // reads that the disk refused
};

} // namespace clinic::crypto
