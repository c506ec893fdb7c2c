// A file of JSON lines, each in one write(2): a reader never sees half a line.
#pragma once

#include <filesystem>

#include "crypto/base/owned.h"
#include "crypto/base/result.h"
#include "tests/emulator/exchange.h"

namespace clinic::emulator {

class Lines {
public:
    Lines() = default; // writes nothing
    static Result<Lines>
    open(const std::filesystem::path& file); // appends after the last whole line; an empty path writes nothing
    void write(const Json& line);

private:
    base::UniqueFd fd_;
};

// The exact bytes as a JSON string; in base64 where they are not UTF-8, and `body_encoding` says so.
void put_body(Json& line, const std::string& body);

} // namespace clinic::emulator
