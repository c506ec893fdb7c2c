// The private integration token, read from its credential file; a changed file is noticed.
//   Errors:  locked (not there, empty, or not a token).
//   Threads: any.
#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "crypto/base/result.h"

namespace clinic::ghl {

class TokenFile {
public:
    explicit TokenFile(std::filesystem::path path) : path_{std::move(path)} {}
    Result<std::string> token(); // as last read, or read now when the file is a newer one
    Result<void> reread();       // whatever its time says

private:
    Result<std::string> read() const;
    std::filesystem::path path_;
    std::mutex mutex_;
    std::string token_;
    std::filesystem::file_time_type written_{};
};

} // namespace clinic::ghl
