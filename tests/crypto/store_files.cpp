#include "tests/crypto/store_files.h"

#include <algorithm>
#include <fstream>

#include "crypto/base/files.h"

namespace clinic::crypto::tests {

namespace fs = std::filesystem;

std::vector<std::byte> contents(const fs::path& path) {
    auto read = base::read_bytes(path, 100'000'000);
    return read ? std::move(*read) : std::vector<std::byte>{};
}

// In place: a file that is cut to nothing and written anew is flushed to the disk by some file systems.
void put_contents(const fs::path& path, std::span<const std::byte> bytes) {
    if (!fs::exists(path)) std::ofstream{path};
    {
        std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
        file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    fs::resize_file(path, bytes.size());
}

bool holds(std::span<const std::byte> bytes, std::string_view marker) {
    const auto wanted = base::as_bytes(marker);
    return std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()) != bytes.end();
}

void copy_folder(const fs::path& from, const fs::path& to) {
    fs::create_directories(to);
    for (const auto& entry : fs::directory_iterator{from})
        if (entry.is_regular_file())
            fs::copy_file(entry.path(), to / entry.path().filename(), fs::copy_options::overwrite_existing);
}

} // namespace clinic::crypto::tests
