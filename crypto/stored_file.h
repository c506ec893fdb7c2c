// A file as SQLite sees it: its offsets and sizes, over a sealed one.
//   Errors:  SQLite's result codes. A shape that SQLite 3.40 does not use is an I/O error.
//   Threads: one connection's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "crypto/raw_file.h"

namespace clinic::crypto {

class StoredFile {
public:
    virtual ~StoredFile() = default;
    virtual int read(std::span<std::byte> out, std::uint64_t at) = 0;
    virtual int write(std::span<const std::byte> bytes, std::uint64_t at) = 0;
    virtual int truncate(std::uint64_t size) = 0;
    virtual int size(std::uint64_t& out) = 0;
    virtual int sync(int flags) { return raw().sync(flags); }
    virtual RawFile& raw() = 0;
};

} // namespace clinic::crypto
