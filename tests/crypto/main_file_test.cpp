// The database file over one in memory whose reads are counted and whose disk goes bad.
#include "crypto/main_file.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "crypto/first_page.h"
#include "crypto/seal.h"

namespace clinic::crypto::tests {
namespace {

struct MemoryDisk {
    std::vector<std::byte> bytes;
    int reads = 0;
    std::optional<std::uint64_t> bad_page; // a read that touches it fails
    bool full = false;                     // every write fails
};

MemoryDisk* disk; // the one that files are opened on

std::uint64_t place(sqlite3_int64 at) {
    return static_cast<std::uint64_t>(at);
}

int close_file(sqlite3_file*) {
    return SQLITE_OK;
}

int read_file(sqlite3_file*, void* out, int size, sqlite3_int64 at) {
    ++disk->reads;
    const std::uint64_t from = place(at), wanted = place(size);
    if (disk->bad_page) {
        const std::uint64_t bad = page_offset(*disk->bad_page);
        if (from < bad + page_bytes && bad < from + wanted) return SQLITE_IOERR_READ;
    }
    std::memset(out, 0, wanted);
    if (from >= disk->bytes.size()) return SQLITE_IOERR_SHORT_READ;
    const std::uint64_t there = std::min<std::uint64_t>(wanted, disk->bytes.size() - from);
    std::memcpy(out, disk->bytes.data() + from, there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file*, const void* from, int size, sqlite3_int64 at) {
    if (disk->full) return SQLITE_FULL;
    disk->bytes.resize(std::max<std::uint64_t>(disk->bytes.size(), place(at) + place(size)));
    std::memcpy(disk->bytes.data() + at, from, place(size));
    return SQLITE_OK;
}

int truncate_file(sqlite3_file*, sqlite3_int64 size) {
    disk->bytes.resize(place(size));
    return SQLITE_OK;
}

int size_of_file(sqlite3_file*, sqlite3_int64* out) {
    *out = static_cast<sqlite3_int64>(disk->bytes.size());
    return SQLITE_OK;
}

int open_file(sqlite3_vfs*, const char*, sqlite3_file* file, int, int*) {
    static constexpr sqlite3_io_methods methods{.iVersion = 1,
                                                .xClose = close_file,
                                                .xRead = read_file,
                                                .xWrite = write_file,
                                                .xTruncate = truncate_file,
                                                .xFileSize = size_of_file};
    file->pMethods = &methods;
    return SQLITE_OK;
}

class MainFileTest : public testing::TestWithParam<CipherId> {
protected:
    void SetUp() override {
        ASSERT_TRUE(start());
        disk = &disk_;
        base_.szOsFile = sizeof(sqlite3_file);
        base_.xOpen = open_file;
        disk_.bytes.resize(main_head_bytes);
        context_.emplace(PageCipher{GetParam(), SecureBytes::random(key_bytes), 1, {}});
        file_ = opened();
    }

    std::unique_ptr<MainFile> opened() {
        auto made = std::make_unique<MainFile>(*context_, base_);
        EXPECT_EQ(made->raw().open(base_, "", 0, nullptr), SQLITE_OK);
        return made;
    }
    static Page page_of(std::uint64_t number, int version = 0) {
        if (number == 1) return empty_first_page();
        Page made{};
        std::ranges::fill(std::span{made}.first(page_plain_bytes),
                          static_cast<std::byte>(number * 7 + static_cast<unsigned>(version)));
        return made;
    }
    int write(std::uint64_t number, int version = 0) {
        return file_->write(page_of(number, version), (number - 1) * page_bytes);
    }
    void fill(std::uint64_t pages) {
        for (std::uint64_t number = 1; number <= pages; ++number) ASSERT_EQ(write(number), SQLITE_OK);
    }
    // SQLite's code; the page is what it should be where that is "fine".
    static int read(MainFile& file, std::uint64_t number, int version = 0) {
        Page out;
        const int rc = file.read(out, (number - 1) * page_bytes);
        EXPECT_TRUE(rc != SQLITE_OK || out == page_of(number, version)) << number;
        return rc;
    }

    MemoryDisk disk_;
    sqlite3_vfs base_{};
    std::optional<StoreContext> context_;
    std::unique_ptr<MainFile> file_;
};
INSTANTIATE_TEST_SUITE_P(Each, MainFileTest, testing::Values(CipherId::xchacha20_poly1305, CipherId::aes256_gcm));

TEST_P(MainFileTest, ReadsAheadWherePagesAreAskedForInOrderAndNotElsewhere) {
    fill(200);
    disk_.reads = 0;
    for (std::uint64_t number = 1; number <= 200; ++number) EXPECT_EQ(read(*file_, number), SQLITE_OK);
    EXPECT_LT(disk_.reads, 20);

    disk_.reads = 0;
    std::uint64_t number = 1;
    for (int i = 0; i < 50; ++i) EXPECT_EQ(read(*file_, number = (number + 67) % 199 + 1), SQLITE_OK);
    EXPECT_EQ(disk_.reads, 50);
}

TEST_P(MainFileTest, ABadPlaceOnTheDiskCostsThePageThatLiesThereAndNoOther) {
    fill(60);
    disk_.bad_page = 33;
    for (std::uint64_t number = 1; number <= 60; ++number)
        EXPECT_EQ(read(*file_, number), number == 33 ? SQLITE_IOERR_READ : SQLITE_OK) << number;
    disk_.bad_page.reset();
    EXPECT_EQ(read(*file_, 33), SQLITE_OK);
}

TEST_P(MainFileTest, APageThatDidNotOpenIsLookedForOnTheDiskAgain) {
    fill(40);
    auto& byte = disk_.bytes[page_offset(20) + 5];
    byte ^= std::byte{1};
    for (std::uint64_t number = 10; number < 20; ++number) EXPECT_EQ(read(*file_, number), SQLITE_OK);
    EXPECT_EQ(read(*file_, 20), SQLITE_IOERR_DATA);
    byte ^= std::byte{1};
    EXPECT_EQ(read(*file_, 20), SQLITE_OK);
}

TEST_P(MainFileTest, WhatWasReadAheadIsNotUsedAfterAnotherConnectionsWrite) {
    fill(40);
    const auto reader = opened();
    for (std::uint64_t number = 1; number < 20; ++number) EXPECT_EQ(read(*reader, number), SQLITE_OK);
    for (std::uint64_t number = 20; number <= 40; ++number) {
        ASSERT_EQ(write(number, 3), SQLITE_OK);
        EXPECT_EQ(read(*reader, number, 3), SQLITE_OK);
    }
}

// A page that was never written is not a page of zeros.
TEST_P(MainFileTest, WhatWasNotWrittenDoesNotOpenAndTheSizeIsTheDisks) {
    const auto opens = [&](std::uint64_t number) {
        Page out;
        return file_->read(out, (number - 1) * page_bytes) == SQLITE_OK;
    };
    const auto pages = [&] {
        std::uint64_t bytes = 0;
        EXPECT_EQ(file_->size(bytes), SQLITE_OK);
        return bytes / page_bytes;
    };
    fill(10);
    EXPECT_EQ(pages(), 10U);
    disk_.full = true;
    EXPECT_EQ(write(11), SQLITE_FULL);
    EXPECT_EQ(pages(), 10U);
    disk_.full = false;
    ASSERT_EQ(write(15), SQLITE_OK);
    EXPECT_EQ(pages(), 15U);
    for (std::uint64_t number = 1; number <= 15; ++number) EXPECT_EQ(opens(number), number <= 10 || number == 15);

    ASSERT_EQ(file_->truncate(4 * page_bytes), SQLITE_OK);
    EXPECT_EQ(pages(), 4U);
    ASSERT_EQ(write(5), SQLITE_OK);
    EXPECT_EQ(pages(), 5U);
    EXPECT_TRUE(opens(5));
}

} // namespace
} // namespace clinic::crypto::tests
