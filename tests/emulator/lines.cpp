#include "tests/emulator/lines.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "crypto/base/log.h"

namespace clinic::emulator {
namespace {

bool is_utf8(const std::string& text) {
    try {
        static_cast<void>(Json(text).dump());
        return true;
    } catch (const Json::exception&) {
        return false;
    }
}

std::string base64(const std::string& bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int length =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

// What a kill left of a line at the end: nobody got an answer for it.
bool cut_half_line(int fd) {
    const off_t size = ::lseek(fd, 0, SEEK_END); // not positive: empty, or no file of bytes
    off_t end = size;
    char last = '\n';
    while (end > 0 && ::pread(fd, &last, 1, end - 1) == 1 && last != '\n') --end;
    return end >= size || ::ftruncate(fd, end) == 0;
}

} // namespace

Result<Lines> Lines::open(const std::filesystem::path& file) {
    Lines lines;
    if (file.empty()) return lines;
    lines.fd_.reset(::open(file.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!lines.fd_ || !cut_half_line(lines.fd_.get())) return Error{Errc::system, "lines: open failed", "", {}, errno};
    return lines;
}

void Lines::write(const Json& line) {
    if (!fd_) return;
    const std::string text = base::dump_json(line) + "\n";
    if (::write(fd_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        base::log(base::Level::error, "emulator", "lines: write failed");
}

void put_body(Json& line, const std::string& body) {
    if (is_utf8(body)) {
        line["body"] = body;
    } else {
        line["body"] = base64(body);
        line["body_encoding"] = "base64";
    }
}

} // namespace clinic::emulator
