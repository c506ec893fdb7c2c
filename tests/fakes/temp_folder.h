// A folder of the test's own, gone when the test is.
#pragma once

#include <stdlib.h>

#include <cassert>
#include <filesystem>
#include <string>

namespace clinic::fakes {

class TempFolder {
public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "clinic-test-").string() + std::string(6, 'X');
        const char* made = mkdtemp(name.data());
        assert(made != nullptr);
        path_ = made;
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const char* name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

} // namespace clinic::fakes
